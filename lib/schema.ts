/**
 * zod in its mini form, with zod's English messages. The usual form puts some fifty methods on each schema, and all of their code
 * into each bundle. Handler files may use either form.
 */
import { config } from 'zod/mini'
import en from 'zod/v4/locales/en.js'

config(en())

export * from 'zod/mini'
