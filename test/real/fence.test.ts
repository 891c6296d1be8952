import { fenceTests } from '../lib/fence-tests.ts'
import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'

fenceTests('DynamoDB Local', startDynamoDbLocal)
