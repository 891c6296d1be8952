import type { BuildOptions } from 'esbuild'
import { bundling } from '../../infra/bundling.ts'

// The first ones are options that only serverless-esbuild understands.
const { exclude, outputFileExtension, outputWorkFolder: _folder, watch: _watch, ...deployed } = bundling

/** The ending of a bundle's file. */
export const bundleEnding = outputFileExtension

/** The options of a deployment, for esbuild itself. */
export const bundleOptions = {
  ...(deployed as BuildOptions),
  bundle: true,
  platform: 'node',
  target: 'node24',
  external: exclude,
} satisfies BuildOptions
