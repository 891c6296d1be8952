import { startDynamoDbLocal } from '../../rig/dynamodb-local.ts'
import { fenceTests } from './fence-tests.ts'

fenceTests('DynamoDB Local', startDynamoDbLocal)
