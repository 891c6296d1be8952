import { defineTable } from 'dts-functions'
import * as z from 'zod'

export const handler = defineTable({
  table: 'shop.orders',
  // Only these columns are decoded. BIGINT becomes a bigint, DECIMAL a string.
  row: z.object({ id: z.bigint(), status: z.string(), total: z.string() }),

  async onChange(change) {
    if (change.operation === 'UPDATE' && change.changed('status')) {
      console.log(`Order ${change.after.id}: ${change.before.status} → ${change.after.status}`)
    }
  },
})
