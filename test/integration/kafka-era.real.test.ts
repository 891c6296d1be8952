import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'
import { kafkaSources } from '../rig/kafka-source.ts'
import { integrationSuite, logGroups } from './suite.ts'

const sources = kafkaSources('era', 3)
integrationSuite(
  {
    name: 'Apache Kafka (era) and DynamoDB Local',
    startDynamo: startDynamoDbLocal,
    startSource: sources.start,
    stop: sources.stop,
  },
  logGroups,
)
