/** The bundler replaces this name by the text of `writeArtefact` (`custom.esbuild.define` in serverless.yml). */
declare const DTS_ROUTES: string | undefined

/** The routes that this code was packaged with; undefined if it was not bundled by a deployment. */
export function packagedRoutes(): string | undefined {
  // Code that was not bundled has no such name.
  return typeof DTS_ROUTES === 'undefined' ? undefined : DTS_ROUTES
}
