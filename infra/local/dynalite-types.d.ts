declare module 'dynalite' {
  import type { Server } from 'node:http'

  export interface DynaliteOptions {
    /** Milliseconds that a table stays in the state CREATING, and so on; 500 by default. */
    readonly createTableMs?: number
    readonly updateTableMs?: number
    readonly deleteTableMs?: number
  }

  export default function dynalite(options?: DynaliteOptions): Server
}
