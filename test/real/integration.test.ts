import { integrationSuite } from '../integration/suite.ts'
import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'
import { kafkaSources } from '../rig/kafka-source.ts'

for (const release of ['era', 'current'] as const) {
  const sources = kafkaSources(release)
  integrationSuite({
    name: `Apache Kafka (${release}) and DynamoDB Local`,
    startDynamo: startDynamoDbLocal,
    startSource: sources.start,
    stop: sources.stop,
  })
}
