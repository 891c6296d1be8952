import {
  type AttributeValue,
  type CancellationReason,
  ConditionalCheckFailedException,
  type DeleteItemCommandInput,
  DynamoDBServiceException,
  type GetItemCommandInput,
  type PutItemCommandInput,
  ResourceNotFoundException,
  TransactionCanceledException,
  type TransactWriteItemsCommandInput,
  type UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import { DtsError } from '../../../errors.ts'
import { holds, InvalidExpression, type Item, updated } from './evaluate.ts'
import { parseCondition, parseUpdate, pathsOf } from './parse.ts'
import { checkCondition, checkUpdate } from './validate.ts'

/** A value as handlers write it. Numbers that a JavaScript number cannot hold exactly are bigints, or texts with a point. */
export type MemoryItem = Readonly<Record<string, unknown>>

/** The part of a client of DynamoDB that is needed to answer in its place; every version 3 of the SDK has it. */
interface Client {
  readonly middlewareStack: {
    add(
      middleware: (
        next: unknown,
        context: { readonly commandName?: string },
      ) => (given: { readonly input: unknown }) => Promise<never>,
      options: { readonly step: 'initialize'; readonly priority: 'low'; readonly name: string },
    ): void
  }
}

/** DynamoDB's own limit. */
const mostInTransaction = 100

/**
 * Lets a client of DynamoDB write to tables in this process, so that handlers with the fence or `once` are tested without
 * AWS. It knows GetItem, PutItem, UpdateItem, DeleteItem and TransactWriteItems, with their conditions and update
 * expressions. It refuses every other request by name: test those on DynamoDB Local.
 * @param keys the names of the key's attributes, by table
 */
export function memoryTables(
  client: Client,
  keys: Readonly<Record<string, string | readonly string[]>>,
): MemoryTables {
  const tables = new MemoryTables(keys)
  client.middlewareStack.add(
    (_next, { commandName = 'a command without a name' }) =>
      async ({ input }) =>
        // The SDK declares the output of each command apart; this one answers them all.
        ({ output: { $metadata: {}, ...tables.answer(commandName, input) } }) as never,
    { step: 'initialize', priority: 'low', name: 'memoryTables' },
  )
  return tables
}

/** One write of a transaction, or one alone, and what it does to its item. */
interface Write {
  readonly table: Table
  readonly key: string
  readonly before: Item | undefined
  readonly holds: boolean
  /** Undefined: the item is deleted. */
  readonly after: () => Item | undefined
}

interface Table {
  readonly name: string
  readonly keys: readonly string[]
  readonly items: Map<string, Item>
}

type Conditional = Pick<
  UpdateItemCommandInput,
  'ConditionExpression' | 'UpdateExpression' | 'ExpressionAttributeNames' | 'ExpressionAttributeValues'
>

export class MemoryTables {
  readonly #tables: ReadonlyMap<string, Table>

  constructor(keys: Readonly<Record<string, string | readonly string[]>>) {
    this.#tables = new Map(
      Object.entries(keys).map(([name, key]) => [name, { name, keys: [key].flat(), items: new Map() }]),
    )
  }

  /** All items of a table, oldest first. @throws ResourceNotFoundException */
  items(table: string): MemoryItem[] {
    const convert = (text: string) => {
      const number = Number(text)
      if (Number.isInteger(number)) return Number.isSafeInteger(number) ? number : BigInt(text)
      return String(number) === text ? number : text
    }
    return [...this.#table(table).items.values()].map((item) =>
      unmarshall({ ...item }, { wrapNumbers: convert }),
    )
  }

  /** Removes all items, for the next test. */
  clear(): void {
    for (const { items } of this.#tables.values()) items.clear()
  }

  /**
   * @param command such as `PutItemCommand`
   * @throws DynamoDBServiceException as DynamoDB would; DtsError CONFIG_INVALID for a request that it does not know
   */
  answer(command: string, input: unknown): object {
    switch (command) {
      case 'GetItemCommand':
        return this.#get(input as GetItemCommandInput)
      case 'PutItemCommand':
        return this.#alone(input as PutItemCommandInput, () => this.#put(input as PutItemCommandInput))
      case 'UpdateItemCommand':
        return this.#alone(input as UpdateItemCommandInput, () =>
          this.#update(input as UpdateItemCommandInput),
        )
      case 'DeleteItemCommand':
        return this.#alone(input as DeleteItemCommandInput, () =>
          this.#delete(input as DeleteItemCommandInput),
        )
      case 'TransactWriteItemsCommand':
        return this.#transact(input as TransactWriteItemsCommandInput)
      default:
        throw new DtsError(
          'CONFIG_INVALID',
          `memoryTables does not know ${command}. Nothing was written. Test this handler on DynamoDB Local.`,
          { retryable: false, facts: { command } },
        )
    }
  }

  #get({ TableName, Key }: GetItemCommandInput): object {
    const table = this.#table(TableName)
    const item = table.items.get(keyOf(table, Key))
    return item === undefined ? {} : { Item: item }
  }

  #alone({ ReturnValues = 'NONE' }: Pick<UpdateItemCommandInput, 'ReturnValues'>, plan: () => Write): object {
    const write = valid(plan)
    if (!write.holds)
      throw new ConditionalCheckFailedException({ message: 'The conditional request failed', $metadata: {} })
    const after = valid(write.after)
    store(write, after)
    const { before } = write
    if (ReturnValues === 'ALL_OLD' && before !== undefined) return { Attributes: before }
    return ReturnValues === 'ALL_NEW' && after !== undefined ? { Attributes: after } : {}
  }

  /** All writes see the items as they were before, and all happen, or none does. */
  #transact({ TransactItems = [] }: TransactWriteItemsCommandInput): object {
    if (TransactItems.length > mostInTransaction)
      throw invalid(`A transaction has at most ${mostInTransaction} writes, not ${TransactItems.length}.`)
    const writes = TransactItems.map(({ Put, Update, Delete, ConditionCheck }) =>
      valid(() => {
        if (Put !== undefined) return this.#put(Put as PutItemCommandInput)
        if (Update !== undefined) return this.#update(Update as UpdateItemCommandInput)
        if (Delete !== undefined) return this.#delete(Delete as DeleteItemCommandInput)
        return this.#check(ConditionCheck as DeleteItemCommandInput)
      }),
    )
    const places = new Set(writes.map(({ table, key }) => JSON.stringify([table.name, key])))
    if (places.size < writes.length) throw invalid('A transaction cannot write one item twice.')
    if (writes.some((write) => !write.holds)) throw cancelled(writes)
    const results = writes.map((write) => [write, valid(write.after)] as const)
    for (const [write, after] of results) store(write, after)
    return {}
  }

  #put({ TableName, Item = {}, ...conditional }: PutItemCommandInput): Write {
    return this.#write(TableName, Item, conditional, () => structuredClone(Item))
  }

  #update({ TableName, Key = {}, ...conditional }: UpdateItemCommandInput): Write {
    const {
      UpdateExpression = '',
      ExpressionAttributeNames = {},
      ExpressionAttributeValues = {},
    } = conditional
    const update = parseUpdate(UpdateExpression, ExpressionAttributeNames)
    checkUpdate(update, ExpressionAttributeValues)
    const all = pathsOf(update)
    const named = all.find(([name]) => Object.hasOwn(Key, name))
    if (named !== undefined)
      throw new InvalidExpression(`An update cannot write ${named[0]}, which is part of the key.`)
    return this.#write(TableName, Key, conditional, (before) =>
      updated(update, before ?? structuredClone(Key), ExpressionAttributeValues),
    )
  }

  #delete({ TableName, Key, ...conditional }: DeleteItemCommandInput): Write {
    return this.#write(TableName, Key, conditional, () => undefined)
  }

  #check({ TableName, Key, ...conditional }: DeleteItemCommandInput): Write {
    return this.#write(TableName, Key, conditional, (before) => before)
  }

  #write(
    tableName: string | undefined,
    attributes: Record<string, AttributeValue> | undefined,
    conditional: Conditional,
    after: (before: Item | undefined) => Item | undefined,
  ): Write {
    const table = this.#table(tableName)
    const key = keyOf(table, attributes)
    const before = table.items.get(key)
    refuseUnused(conditional)
    return { table, key, before, holds: isMet(conditional, before), after: () => after(before) }
  }

  #table(name: string | undefined): Table {
    const table = this.#tables.get(name ?? '')
    if (table !== undefined) return table
    throw new ResourceNotFoundException({
      message: `memoryTables has no table ${name}; it has ${[...this.#tables.keys()].join(', ')}`,
      $metadata: {},
    })
  }
}

/** @throws DynamoDBServiceException ValidationException if a part of the key is missing */
function keyOf({ name, keys }: Table, attributes: Item = {}): string {
  return JSON.stringify(
    keys.map((part) => {
      const value = attributes[part]
      if (value === undefined)
        throw invalid(`The key of the table ${name} is ${keys.join(' and ')}; ${part} is missing.`)
      return value.B === undefined ? value : { B: Buffer.from(value.B).toString('hex') }
    }),
  )
}

function isMet(
  { ConditionExpression, ExpressionAttributeNames, ExpressionAttributeValues: values = {} }: Conditional,
  item: Item = {},
): boolean {
  if (ConditionExpression === undefined) return true
  const condition = parseCondition(ConditionExpression, ExpressionAttributeNames)
  checkCondition(condition, values)
  return holds(condition, item, values)
}

/** @throws InvalidExpression for a name or value that no expression uses, as DynamoDB does */
function refuseUnused({
  ConditionExpression = '',
  UpdateExpression = '',
  ExpressionAttributeNames = {},
  ExpressionAttributeValues = {},
}: Conditional): void {
  const used = new Set(`${ConditionExpression} ${UpdateExpression}`.match(/[#:]\w+/g))
  for (const placeholder of [
    ...Object.keys(ExpressionAttributeNames),
    ...Object.keys(ExpressionAttributeValues),
  ])
    if (!used.has(placeholder)) throw new InvalidExpression(`${placeholder} is not used in any expression.`)
}

function store({ table, key }: Write, after: Item | undefined): void {
  if (after === undefined) table.items.delete(key)
  else table.items.set(key, after)
}

function cancelled(writes: readonly Write[]): TransactionCanceledException {
  const reasons = writes.map(
    (write): CancellationReason => ({ Code: write.holds ? 'None' : 'ConditionalCheckFailed' }),
  )
  return new TransactionCanceledException({
    message: `Transaction cancelled, with reasons [${reasons.map(({ Code }) => Code).join(', ')}]`,
    CancellationReasons: reasons,
    $metadata: {},
  })
}

/** @throws DynamoDBServiceException ValidationException in place of an error of the expression */
function valid<Result>(act: () => Result): Result {
  try {
    return act()
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof InvalidExpression) throw invalid(error.message)
    throw error
  }
}

function invalid(message: string): DynamoDBServiceException {
  return new DynamoDBServiceException({
    name: 'ValidationException',
    message,
    $fault: 'client',
    $metadata: {},
  })
}
