/** Errors: stable codes, certainty, and the way between threads. */
import test from 'ava';
import {
  decodeError,
  type ErrorCode,
  encodeError,
  errorCodes,
  isRingletError,
  messageOf,
  RingletError,
  typeName,
} from '../../lib/errors.ts';

const codes = Object.keys(errorCodes) as ErrorCode[];

for (const code of codes) {
  test(`${code} says what to do, and comes through a thread whole`, (t) => {
    const { definite, advice } = errorCodes[code];
    const error = new RingletError(code, 'got 5, max 3');
    t.is(error.message, `got 5, max 3 (${advice})`);
    t.is(error.definite, definite === true);
    t.regex(advice, /^[a-z].*[^.]$/);
    t.is(error.name, code === 'RINGLET_ABORTED' ? 'AbortError' : 'RingletError');

    const decoded = decodeError(structuredClone(encodeError(error)));
    t.true(isRingletError(decoded, code));
    t.like(decoded, { name: error.name, message: error.message, code, definite: error.definite });
    t.is(decoded.stack, error.stack);
  });
}

test('certainty can be said of one case, and comes through a thread', (t) => {
  const options = { definite: true, cause: new Error('disk') };
  const error = new RingletError('RINGLET_TIMEOUT', 'get', options);
  t.true(error.definite);
  t.is(error.cause, options.cause);
  t.false(Object.hasOwn(new RingletError('RINGLET_TIMEOUT', 'get'), 'cause'));
  t.like(decodeError(encodeError(error)), { code: 'RINGLET_TIMEOUT', definite: true });
});

test('other errors keep their name and code, and are not taken for ours', (t) => {
  const cases: readonly [error: Error, code: string | undefined][] = [
    [new RangeError('too far'), undefined],
    [Object.assign(new Error('no such file'), { code: 'ENOENT' }), 'ENOENT'],
    [Object.assign(new Error('inherited'), { code: 'toString' }), 'toString'],
    [Object.assign(new Error('proto'), { code: '__proto__' }), '__proto__'],
    [Object.assign(new Error('numeric'), { code: 5 }), undefined],
  ];
  for (const [error, code] of cases) {
    const decoded = decodeError(structuredClone(encodeError(error)));
    t.like(decoded, { name: error.name, message: error.message, stack: error.stack });
    t.is((decoded as { code?: unknown }).code, code);
    t.false(isRingletError(decoded));
  }
});

test('anything can be thrown', (t) => {
  const thrown = [undefined, null, 5, 5n, Symbol('s'), () => 1, Object.create(null), 'text'];
  for (const value of thrown) {
    const decoded = decodeError(structuredClone(encodeError(value)));
    t.is(decoded.message, messageOf(value));
    t.not(decoded.message, '');
  }
  t.is(messageOf('text'), 'text');
  t.is(messageOf(new Error('message')), 'message');
});

test('a type is named without a look at the value', (t) => {
  const revoked = Proxy.revocable([], {});
  revoked.revoke();
  const names: readonly [value: unknown, name: string][] = [
    [undefined, 'undefined'],
    [null, 'null'],
    ['secret', 'string'],
    [[], 'Array'],
    [{ toString: () => 'secret' }, 'Object'],
    [new Map(), 'Map'],
    [{ [Symbol.toStringTag]: 'x'.repeat(100) }, 'x'.repeat(40)],
    [revoked.proxy, 'object'],
  ];
  for (const [value, name] of names) t.is(typeName(value), name);
});

test('errors are told apart by code', (t) => {
  const error: unknown = new RingletError('RINGLET_CLOSED', 'closed');
  t.true(isRingletError(error));
  t.true(isRingletError(error, 'RINGLET_CLOSED'));
  t.false(isRingletError(error, 'RINGLET_TIMEOUT'));
  t.false(isRingletError({ code: 'RINGLET_CLOSED' }));
  t.false(isRingletError(null));
});
