import { Logger } from '@aws-lambda-powertools/logger'
import { defineTable } from 'dts-functions'
import * as z from 'zod/mini'

const logger = new Logger({ serviceName: 'orders' })

/** Sends the warehouse the orders to pick, and those to put back. */
export const handler = defineTable({
  table: 'shop.orders',
  row: z.object({
    id: z.bigint(),
    customer_id: z.bigint(),
    status: z.string(),
    // DECIMAL is text: a number would round it.
    total: z.string(),
    placed_at: z.string(),
  }),

  async onChange(change) {
    switch (change.operation) {
      case 'INSERT':
      case 'INIT':
        logger.info('Order placed')
        break
      case 'UPDATE':
        if (!change.changed('status')) break
        if (change.after.status === 'paid') logger.info('Order released for picking')
        if (change.after.status === 'cancelled') logger.info('Order taken off the picking list')
        break
      case 'DELETE':
        logger.info('Order erased')
        break
    }
  },

  async onDdl() {
    logger.warn('The orders table was altered: check that the row schema above still fits')
  },
})
