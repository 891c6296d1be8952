import { switchTests } from '../integration/switches.ts'
import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'
import { kafkaSources } from '../rig/kafka-source.ts'

const sources = kafkaSources('current')
switchTests({
  name: 'Apache Kafka (current) and DynamoDB Local',
  startDynamo: startDynamoDbLocal,
  startSource: sources.start,
  stop: sources.stop,
})
