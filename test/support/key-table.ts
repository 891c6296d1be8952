import { CreateTableCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb'

/** Creates a table whose key is the attribute `id`: a string or a number. */
export async function createKeyTable(
  client: DynamoDBClient,
  table: string,
  type: 'S' | 'N' = 'S',
): Promise<void> {
  await client.send(
    new CreateTableCommand({
      TableName: table,
      KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'id', AttributeType: type }],
      BillingMode: 'PAY_PER_REQUEST',
    }),
  )
}
