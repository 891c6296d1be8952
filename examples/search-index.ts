import { defineTable } from 'dts-functions'
import * as z from 'zod'

const answerSchema = z.object({
  items: z.array(
    z.record(
      z.string(),
      z.object({ status: z.number(), error: z.object({ reason: z.string() }).optional() }),
    ),
  ),
})

/**
 * Keeps an OpenSearch index of products. A bulk request applies its lines in order, and each line writes the whole state of a
 * row, so a repeat leads to the same documents.
 */
export const handler = defineTable({
  table: 'shop.products',
  row: z.object({ id: z.bigint(), name: z.string(), description: z.string().nullable() }),
  batchSize: 500,

  async onBatch(changes) {
    const lines = changes.flatMap((change): object[] => {
      const { id, ...document } = change.operation === 'DELETE' ? change.before : change.after
      const action = { _index: 'products', _id: String(id) }
      return change.operation === 'DELETE' ? [{ delete: action }] : [{ index: action }, document]
    })
    const response = await fetch(`${process.env.SEARCH_URL}/_bulk`, {
      method: 'POST',
      headers: {
        authorization: process.env.SEARCH_AUTHORIZATION ?? '',
        'content-type': 'application/x-ndjson',
      },
      body: lines.map((line) => `${JSON.stringify(line)}\n`).join(''),
    })
    if (!response.ok) throw new Error(`the index answered ${response.status}: ${await response.text()}`)
    const results = answerSchema.parse(await response.json()).items.flatMap((item) => Object.values(item))
    // A document that is already gone is what a delete wants.
    const failedAt = results.findIndex(({ status }) => status >= 300 && status !== 404)
    return failedAt >= 0 ? { failedAt, error: new Error(results[failedAt]?.error?.reason) } : undefined
  },
})
