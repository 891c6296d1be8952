import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { defineTable, stringifyChange } from 'dts-functions'
import * as z from 'zod'

const client = new S3Client({})

/**
 * Writes the changes of all columns to S3 as JSON lines, one object for each batch, in folders by day. The same batch has
 * the same name, so a repeat replaces the object. After a crash a batch may be cut differently: readers drop lines whose
 * `idempotencyKey` they have.
 */
export const handler = defineTable({
  table: 'shop.*',
  row: z.looseObject({}),
  batchSize: 1000,

  async onBatch(changes) {
    const [first] = changes
    if (first === undefined) return
    const day = new Date(first.timestamp * 1000).toISOString().slice(0, 10)
    await client.send(
      new PutObjectCommand({
        Bucket: process.env.BUCKET,
        Key: `changes/day=${day}/${first.generation}-${String(first.offset).padStart(20, '0')}.jsonl`,
        ContentType: 'application/x-ndjson',
        Body: changes.map((change) => `${stringifyChange(change)}\n`).join(''),
      }),
    )
  },
})
