/**
 * The diagnostics channel on which table functions publish `{ table, change }` after each change that a handler
 * has finished with: for tracing and tests. It costs nothing while nobody subscribes.
 */
export const handledChannel = 'dts-functions:handled'
