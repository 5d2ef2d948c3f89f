/**
 * Turns a mutant into code: replaces pieces of source text while modules load, so that no line of a bug is ever in the
 * project's own files. Works for the process or worker thread that asks for it, and for modules that it has not loaded yet.
 *
 * Invariant: each piece occurs exactly once in its file, so a mutant whose place has changed fails instead of doing nothing.
 */
import { registerHooks } from 'node:module';

/** One replacement in one file. */
export interface Change {
  /** Relative to the project's folder. */
  readonly file: string;
  readonly replace: string;
  readonly by: string;
}

const projectUrl = new URL('../../', import.meta.url);

/** The text of a file with the changes that are meant for it. @throws {Error} if there is no such place, or more than one. */
export function applyChanges(file: string, source: string, changes: readonly Change[]): string {
  return changes
    .filter((change) => change.file === file)
    .reduce((text, { replace, by }) => {
      const parts = text.split(replace);
      const count = parts.length - 1;
      if (count !== 1) throw new Error(`${file}: there are ${count} places with: ${replace}`);
      return parts.join(by);
    }, source);
}

/** From now on modules that are loaded are changed ones. */
export function installChanges(changes: readonly Change[]): void {
  const fileOfUrl = new Map(changes.map(({ file }) => [new URL(file, projectUrl).href, file]));
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const file = fileOfUrl.get(url);
      if (file === undefined) return loaded;
      const source = Buffer.from(loaded.source as Uint8Array).toString();
      // The format stays 'module-typescript', so the types are stripped after the change.
      return { ...loaded, source: applyChanges(file, source, changes) };
    },
  });
}
