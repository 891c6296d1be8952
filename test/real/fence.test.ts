import { fenceTests } from '../lib/handler/fence-tests.ts'
import { startDynamoDbLocal } from '../rig/dynamodb-local.ts'

fenceTests('DynamoDB Local', startDynamoDbLocal)
