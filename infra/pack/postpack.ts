/** Runs after `npm pack`. */
import { fileURLToPath } from 'node:url'
import { restoreManifest } from './saved-manifest.ts'

restoreManifest(fileURLToPath(new URL('../..', import.meta.url)))
