import { createHash } from 'node:crypto'
import { CloudFrontClient, CreateInvalidationCommand } from '@aws-sdk/client-cloudfront'
import { defineTable } from 'dts-functions'
import * as z from 'zod'

const client = new CloudFrontClient({})

/**
 * Removes the pages of changed products from CloudFront. CloudFront takes a request with a known CallerReference for the one
 * before, so a batch that comes again costs nothing.
 */
export const handler = defineTable({
  table: 'shop.products',
  operations: ['UPDATE', 'DELETE'],
  row: z.object({ slug: z.string() }),
  batchSize: 100,

  async onBatch(changes) {
    const images = changes.map((change) => ('before' in change ? change.before : change.after))
    const pages = new Set(images.map(({ slug }) => `/products/${encodeURIComponent(slug)}`))
    const keys = changes.map(({ idempotencyKey }) => idempotencyKey)
    await client.send(
      new CreateInvalidationCommand({
        DistributionId: process.env.DISTRIBUTION_ID,
        InvalidationBatch: {
          CallerReference: createHash('sha256').update(JSON.stringify(keys)).digest('hex'),
          Paths: { Quantity: pages.size, Items: [...pages] },
        },
      }),
    )
  },
})
