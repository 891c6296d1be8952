import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'
import { kafkaSources } from '../rig/kafka-source.ts'
import { switchTests } from './switches.ts'

const sources = kafkaSources('current', 3)
switchTests({
  name: 'Apache Kafka (current) and DynamoDB Local',
  startDynamo: startDynamoDbLocal,
  startSource: sources.start,
  stop: sources.stop,
})
