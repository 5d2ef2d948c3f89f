/**
 * Which Node.js is new enough. Every entry asks this before it loads anything else, because on an older one
 * the native module of the store ends the process without a word. Imports nothing.
 */

/** The oldest Node.js that Ringlet runs on. */
export const NODE_VERSION_MIN = { major: 22, minor: 20 } as const;

/**
 * One line that says what to do if `version` is too old, otherwise `null`.
 *
 * @param version As `process.versions.node` has it. What cannot be read counts as too old.
 */
export function checkNodeVersion(version: string): string | null {
  const [major = Number.NaN, minor = Number.NaN] = version.split('.').map(Number);
  const { major: majorMin, minor: minorMin } = NODE_VERSION_MIN;
  if (major > majorMin || (major === majorMin && minor >= minorMin)) return null;
  return (
    `ringlet needs Node.js ${majorMin}.${minorMin} or newer, this is ${version}: ` +
    'install a newer one, or run the command under `npx node@24`'
  );
}
