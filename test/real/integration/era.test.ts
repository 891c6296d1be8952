import { integrationSuite, logGroups } from '../../integration/suite.ts'
import { startDynamoDbLocal } from '../../rig/dynamodb-local.ts'
import { kafkaSources } from '../../rig/kafka-source.ts'

const sources = kafkaSources('era')
integrationSuite(
  {
    name: 'Apache Kafka (era) and DynamoDB Local',
    startDynamo: startDynamoDbLocal,
    startSource: sources.start,
    stop: sources.stop,
  },
  logGroups,
)
