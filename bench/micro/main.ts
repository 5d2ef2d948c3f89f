/** Runs every micro benchmark of this folder, one after the other. */
import fs from 'node:fs';

const files = fs.readdirSync(import.meta.dirname).filter((name) => name.endsWith('.bench.ts'));
for (const file of files.sort()) await import(`./${file}`);
