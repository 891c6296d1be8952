/** `npm run api`: writes the public interface into the fixture that `public-interface.deep.test.ts` compares. */
import { writeFileSync } from 'node:fs'
import { readPublicInterface, snapshotFile } from './support/public-interface.ts'

writeFileSync(snapshotFile, (await readPublicInterface()).text)
