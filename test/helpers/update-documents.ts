/** Rewrites the parts of the documents that are made from the sources: `npx node test/helpers/update-documents.ts`. */
import fs from 'node:fs';
import path from 'node:path';
import { generatedDocuments, regenerate } from './documents.ts';
import { projectFolder, readText } from './tidy-sources.ts';

for (const name of generatedDocuments) {
  fs.writeFileSync(path.join(projectFolder, name), regenerate(readText(name)));
}
