import type { ErrorCode } from './error-code-names.ts'

/** What an operator needs to know about an error code. `docs/runbook` is generated from these entries. */
export interface ErrorCodeEntry {
  /** The heading of the runbook's index under which the code is listed. */
  readonly section: string
  readonly meaning: string
  /** When the error is normal and needs no action. */
  readonly normal: string
  /** What to run or change, in Markdown. */
  readonly run: string
}

/** Every error that this project raises on purpose, by its stable code. No deployed function contains these texts. */
export const errorCodes = {
  CONFIG_INVALID: {
    section: 'configuration',
    meaning:
      "The environment, an event or a handler's definition does not match its schema. The message " +
      'lists every fault.',
    normal: 'Never in a deployed stack: `serverless deploy` refuses what the poller would refuse.',
    run:
      'Correct what the message lists. For the environment: export the variables again and run `npx ' +
      'serverless deploy`. For an event: correct it and repeat it.',
  },
  ROUTES_INVALID: {
    section: 'configuration',
    meaning:
      'The code of poller and recovery contains the routes from tables to functions, written when the service was packaged. ' +
      'They are missing, damaged, or of a version that this code does not read. Nothing is read or delivered.',
    normal: 'Never. Only another bundler, or a change of the packaged code, causes it.',
    run: 'Package and deploy again: `npx serverless deploy`. It writes the routes and the code that reads them together.',
  },
  CONDITION_INVALID: {
    section: 'configuration',
    meaning:
      'A condition on rows, of tail or of the filter of a handler, cannot be read, or it compares values of types that do ' +
      'not fit. The message shows the place or the types. Tail printed nothing past it. For a filter, the change counts ' +
      'as failed: `onFailure` of its handler decides what follows.',
    normal: 'Never.',
    run:
      'Correct the condition. `npm run tail -- --help` shows the forms. For a filter: deploy the handler, then `resume` a ' +
      'halted stream, or `redrive` the dead letters. A redrive sends them whatever the filter says.',
  },
  COLUMN_UNKNOWN: {
    section: 'configuration',
    meaning:
      'A column is named that the table does not have in the stream. The message lists the columns that it has. If the ' +
      'filter of a handler names it, the change counts as failed: `onFailure` of the handler decides what follows.',
    normal: 'After a column was renamed or dropped at the source.',
    run:
      'Correct the name, or choose only tables that have the column. For a filter: deploy the handler, then `resume` a ' +
      'halted stream, or `redrive` the dead letters. A redrive sends them whatever the filter says.',
  },
  BROKER_UNREACHABLE: {
    section: 'reaching DTS',
    meaning:
      'No connection to DTS_BROKER_URL is possible. The cause is a wrong address, DNS, a route, a ' +
      "security group, or DTS's own white list.",
    normal: 'For a minute or two while DTS fails over; the next run tries again.',
    run: '`npm run doctor`. It says whether the name, the address or the port is at fault.',
  },
  NODE_UNREACHABLE: {
    section: 'reaching DTS',
    meaning:
      'DTS_BROKER_URL answers and names the node that holds the data, but the function cannot connect ' +
      'to that node.',
    normal: 'While DTS fails over. If it lasts, the network lets the function reach the proxy only.',
    run: "Allow the function's subnet to reach the node that the message names; then `npm run doctor`.",
  },
  NODE_NOT_ALLOWED: {
    section: 'reaching DTS',
    meaning:
      "The broker named a node that is neither a host of the bootstrap host's endpoint nor a private " +
      'address, or that is an address of this machine or of a metadata service. The poller sent it no ' +
      'credentials.',
    normal: 'After DTS moved an instance to other host names.',
    run:
      'Check with Alibaba Cloud that the host is theirs. If so, add it to DTS_ALLOWED_NODES and ' + 'deploy.',
  },
  AUTHENTICATION_FAILED: {
    section: 'reaching DTS',
    meaning:
      'DTS refuses the user, the password or the sid. The function read the stored password again once and ' +
      'tried again before it reported this.',
    normal: 'Right after a rotation, until the secret or parameter holds the new password.',
    run: 'Compare DTS_USER, DTS_SID and the stored password with the consumer group in the DTS console.',
  },
  SECRET_UNAVAILABLE: {
    section: 'reaching DTS',
    meaning:
      'The secret or SSM parameter that holds the password cannot be read, or contains no password. Or the same is true of the ' +
      'secret or parameter with the key of masks.',
    normal: 'Never.',
    run:
      'Do what the message says: correct DTS_PASSWORD_SECRET, DTS_PASSWORD_PARAMETER, MASK_KEY_SECRET or MASK_KEY_PARAMETER, or the role of the ' +
      'function, or store the password as text or as JSON with "password" in quotes, the key as text. Then run `npm run doctor`.',
  },
  TOPIC_UNKNOWN: {
    section: 'reaching DTS',
    meaning: 'The topic does not exist on this broker, or this consumer has no access to it.',
    normal: 'Never. A DTS task that was deleted and created again has another topic.',
    run: 'Compare DTS_TOPIC with the DTS console and deploy. Another topic has a checkpoint of its own.',
  },
  PARTITION_UNKNOWN: {
    section: 'reaching DTS',
    meaning:
      'The topic has several partitions and DTS_PARTITION is not set, or it names a partition that ' +
      'does not exist.',
    normal: 'Only with plain Kafka topics: a DTS task has one partition.',
    run:
      'Set DTS_PARTITIONS to the number of partitions, or `partitions` of the source, and deploy: each partition gets its own ' +
      'poller. `docs/sources.md` describes it.',
  },
  GROUP_REFUSED: {
    section: 'reaching DTS',
    meaning: 'DTS refuses the consumer group: it must equal the sid.',
    normal: 'Never. The checkpoint does not depend on the group; only the courtesy commit fails.',
    run: 'Remove DTS_GROUP, or set DTS_SID to the consumer group id of the DTS console.',
  },
  GROUP_SHARED: {
    section: 'reaching DTS',
    meaning:
      'Another deployment of this project made the last commit of the consumer group: two deployments ' +
      'use one sid. The message names the other one. A first start is refused, and recovery ignores ' +
      'that commit. A stream that has a checkpoint continues from it and only reports the other ' +
      'deployment.',
    normal: 'Once, when a deployment replaces one that had another service, stage, table or region.',
    run:
      'Remove the other deployment, or give it a consumer group of its own in the DTS console. For a ' +
      'first start, run `npm run recovery -- reset --to T`, with the time from which this deployment ' +
      'has to read. If it replaces a lost one, `docs/lost-region.md` says where it continues.',
  },
  SOURCE_SILENT: {
    section: 'reaching DTS',
    meaning:
      'DTS answers, but it has written no record for more than a minute, not even a heartbeat. ' +
      '`doctor` and `inspect` report it. Meanwhile the poller has nothing to read, and its lag is 0.',
    normal:
      'For a minute or two while DTS fails over or fills a new cluster. DTS itself is late if the ' +
      'source is too busy for it.',
    run:
      'Look at the task in the DTS console: paused, expired and released tasks write nothing. Start ' +
      'or renew it; the poller then continues by itself. If its cluster changed, run `npm run ' +
      'recovery -- inspect`.',
  },
  BROKER_FAILED: {
    section: 'reaching DTS',
    meaning: 'A request to the broker failed or timed out, or the connection was lost.',
    normal:
      'Occasionally; the next run tries again. If it happens every minute, DTS or the network is in ' +
      'trouble.',
    run: 'If it lasts, `npm run doctor`, and look at the task in the DTS console.',
  },
  PROTOCOL_UNSUPPORTED: {
    section: 'reaching DTS',
    meaning:
      'The server at DTS_BROKER_URL is not a Kafka broker, or its protocol versions or codecs are not ' +
      'supported.',
    normal: 'Never.',
    run: 'Check the port of DTS_BROKER_URL, and DTS_TLS.',
  },
  BATCH_CORRUPT: {
    section: 'what the stream contains',
    meaning:
      'A record batch fails its checksum or is malformed. The poller fetches it up to five times and ' +
      'then halts the stream before it.',
    normal: 'Occasionally, through bad memory or a bad cable: then a later fetch succeeds.',
    run:
      'If the stream halted, run `npm run recovery -- inspect`. It tries to read the batch and ' +
      'recommends `resume` only if that works. If it fails, the log itself is damaged: open a ticket ' +
      'with Alibaba Cloud. To continue after the batch, run `reset --to-offset N --accept-loss` with ' +
      'the offset that inspect names. This loses what the batch holds.',
  },
  BATCH_TOO_LARGE: {
    section: 'what the stream contains',
    meaning: 'A record batch or record is larger than the limits allow, or its header says so.',
    normal: 'Never.',
    run:
      '`npm run recovery -- inspect`. It tries to read the batch: while that fails, a `resume` halts ' +
      'again. If the record is real, raise the limits in lib/kafka/batch.ts and the memory of poller ' +
      'and recovery, deploy, and `inspect` again.',
  },
  RECORD_INVALID: {
    section: 'what the stream contains',
    meaning:
      'A record has the right checksum but cannot be decoded as a DTS record, or a column holds bytes ' +
      'that are not text in its character set. Its bytes go to the dead-letter queue. Without a queue, ' +
      'the stream halts before it. If a handler masks columns, it halts with MASK_FAILED instead.',
    normal: 'Never. After an upgrade of DTS it may mean that the format changed.',
    run:
      'Look at the dead letter (`redrive --dry-run`). If the message names a character set and U+FFFD ' +
      "may replace those bytes: set `invalidText: 'replace'` in the table's file, deploy, and " +
      '`redrive`. If the stream halted: `reset --to-offset N+1 --accept-loss`.',
  },
  CHANGE_JSON_INVALID: {
    section: 'what the stream contains',
    meaning:
      'A text or object is not the JSON form of a change. The message names each fault and what is ' +
      'expected there.',
    normal: 'While a person writes a change by hand.',
    run: 'See docs/change-json.md.',
  },
  ROW_INVALID: {
    section: 'what the stream contains',
    meaning: "A declared column is missing, or has another type than the handler's row schema declares.",
    normal: 'After an ALTER TABLE, until the handler is changed.',
    run:
      'Correct the schema in functions/tables and deploy. Then run `npm run recovery -- redrive ' +
      '--table T`, or `resume` if the stream halted. If no schema should take the row, skip it: if it ' +
      'is at offset N of a halted stream, run `npm run recovery -- reset --to-offset N+1 ' +
      '--accept-loss`.',
  },
  TABLE_UNROUTED: {
    section: 'what the stream contains',
    meaning: 'A table has no handler, and UNROUTED_TABLES is halt.',
    normal: 'After a table was created.',
    run:
      'Add a handler or set UNROUTED_TABLES to skip, and deploy. Then run `npm run recovery -- ' + 'resume`.',
  },
  MASK_FAILED: {
    section: 'what the stream contains',
    meaning:
      'A change cannot be masked as its handler asks: its table lacks a masked column, the mask drops a column of the ' +
      'primary key, or the record cannot be decoded. The stream halts before it. The change was neither sent to the ' +
      'function nor stored as a dead letter, because it would have carried the clear values.',
    normal:
      'After a masked column was renamed or dropped at the source, and for changes from before it was added.',
    run:
      'Correct `mask` in the handler and deploy, then run `resume`. If the change is from before the column was added, the rule ' +
      '`hash-if-present` or `drop-if-present` lets it pass. For a record that cannot be decoded, see ' +
      'what it changes at the source, and skip it: `npm run recovery -- reset --to-offset N+1 --accept-loss`, if the message names offset N.',
  },
  COLUMNS_CHANGED: {
    section: 'what the stream contains',
    meaning:
      'A table has a new, lost or retyped column, and a handler of it has `onDrift: halt`. The stream halts before the first such ' +
      'change. The message names the columns.',
    normal: 'After an ALTER TABLE of such a table.',
    run:
      'If the handler needs it, change the handler and deploy. Then run `npm run recovery -- resume`: it accepts the columns. ' +
      '`inspect` lists the versions of the columns.',
  },
  CHECKPOINT_OUT_OF_RANGE: {
    section: 'position',
    meaning: 'The log has no record for the requested time or offset. The message names the data range.',
    normal: 'Right after a failover, while DTS fills the new cluster.',
    run: 'Wait and repeat, or choose a time or offset inside the range.',
  },
  SEARCH_UNFINISHED: {
    section: 'position',
    meaning:
      'After a cluster change, recovery searched for the last committed change as long as one ' +
      'invocation lasts and did not find it. It may be in the rest of the log, so nothing was done.',
    normal: 'With very large logs that do not hold that change, or hold it far from its time.',
    run:
      'Raise custom.stream.recovery.timeout in serverless.yml, deploy, and run the same ' +
      'again. The message says how far the search got.',
  },
  CHECKPOINT_MISSING: {
    section: 'position',
    meaning: 'There is no stored checkpoint, and no DTS_CHECKPOINT to start from.',
    normal: 'Before the first run. Later it means that somebody deleted the item.',
    run:
      'Before the first run, set DTS_CHECKPOINT and deploy. After a deletion, restore the table to a ' +
      'time before it (point-in-time recovery), or run `reset --to-timestamp`.',
  },
  CHECKPOINT_RESTORED: {
    section: 'position',
    meaning:
      'The checkpoint item was restored from a backup: this deployment has committed a later ' +
      'position, or one of a newer generation, to its consumer group. The stream halted before any ' +
      'handler was invoked. In the older generation, handlers with the fence would take new changes ' +
      'for old ones and silently skip them.',
    normal: 'After a restore of the table (point-in-time recovery), or of the item.',
    run:
      '`npm run recovery -- inspect`, then `npm run recovery -- reset --to committed`: the stream ' +
      'continues where the group is, in a new generation, and changes that may repeat are marked. If ' +
      "the handlers' own tables were restored too, run `npm run recovery -- reset --to T` with the " +
      'time of that backup. Always end a restore with a reset, even if the group has no commit that ' +
      'shows the restore: it takes a generation that was never used.',
  },
  CHECKPOINT_INVALID: {
    section: 'position',
    meaning: 'This version cannot read the stored checkpoint item.',
    normal: 'Never, except after a return to a version with another schemaVersion.',
    run:
      'Deploy the version that wrote it. If somebody edited it by hand: restore the table to a time ' +
      'before that (point-in-time recovery) under another name, and copy the item back. Do not delete ' +
      'the item: only it knows how far handlers got.',
  },
  CLUSTER_CHANGED: {
    section: 'position',
    meaning:
      'The cluster id is not the one of the checkpoint, so the stored offset means nothing there. The ' +
      'stream halted before any handler was invoked.',
    normal: 'After a failover of DTS.',
    run:
      '`npm run recovery -- inspect`, then `npm run recovery -- reset`: the stream continues after ' +
      'the last committed change if the new log holds it. Otherwise inspect says which changes ' +
      'repeat, or which times are lost.',
  },
  LOG_CHANGED: {
    section: 'position',
    meaning:
      'The cluster id is the same, but the log does not hold the last committed record. The stream ' +
      'halted before any handler was invoked.',
    normal: 'After DTS restored or rebuilt the log.',
    run: 'As for CLUSTER_CHANGED: `npm run recovery -- inspect`, then `npm run recovery -- reset`.',
  },
  STREAM_HALTED: {
    section: 'position',
    meaning:
      'The stream is halted. Each run reports it and does nothing else. The message repeats the ' + 'reason.',
    normal: 'Until an operator ends the halt.',
    run: '`npm run recovery -- inspect`, and the command that it recommends.',
  },
  PAUSED: {
    section: 'position',
    meaning: 'An operator paused the stream.',
    normal: 'Always: `pause` does this.',
    run: '`npm run recovery -- resume` when the stream may continue.',
  },
  PLAN_OUTDATED: {
    section: 'position',
    meaning:
      'The plan of a dry run no longer fits, because the checkpoint or the log moved meanwhile. ' +
      'Nothing was done.',
    normal: 'If the poller ran between the dry run and the reset.',
    run: '`npm run recovery -- pause` first, then the dry run again.',
  },
  DATA_GAP: {
    section: 'position',
    meaning:
      'To continue would lose changes: they are no longer in the data range, or lie before the ' +
      'requested position. The message says from when to when.',
    normal: 'After the stream was halted or stopped for longer than DTS keeps data.',
    run:
      'Copy the affected rows from the source, then repeat with `--accept-loss`. The ledger records ' +
      'which times were lost.',
  },
  LEASE_HELD: {
    section: 'lease',
    meaning: 'Another run holds the lease, or something moved the checkpoint at the same moment.',
    normal:
      'When schedules overlap; the poller ends its run and tries again at the next. For recovery: a ' +
      'run is at work.',
    run:
      'Wait until the time in the message and repeat. `npm run recovery -- pause` keeps new runs from ' +
      'starting.',
  },
  LEASE_TOO_LONG: {
    section: 'lease',
    meaning:
      'The lease ends later than any run can hold it: the clock of the machine that took it was ' +
      'wrong, or somebody edited the item. Nothing is delivered until the lease ends.',
    normal: 'Never.',
    run:
      '`npm run recovery -- release`: it breaks the lease. The answer says when the next run starts: ' +
      'when an invocation of the old holder must have ended.',
  },
  LEASE_LOST: {
    section: 'lease',
    meaning: 'Another run took the lease during this one. This run stopped, and has written nothing since.',
    normal: 'After a freeze or a very slow DynamoDB.',
    run:
      "Nothing, if the later runs end well (`Poll ended` in the poller's log). If it happens often, " +
      "raise the poller's memory.",
  },
  CHECKPOINT_TABLE_UNAVAILABLE: {
    section: 'DynamoDB, Lambda, SQS',
    meaning: 'The checkpoint table does not exist, this role may not use it, or DynamoDB is in trouble.',
    normal:
      'For moments, when DynamoDB throttles. Meanwhile the poller invokes handlers only while its ' +
      'lease lasts.',
    run: '`npm run doctor`; deploy the stack, or correct CHECKPOINT_TABLE.',
  },
  HANDLER_FAILED: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A table function answered with an error, timed out, or did not acknowledge its changes. The ' +
      'poller tries again and then bisects the batch. Then the change goes to the dead-letter queue, ' +
      'or the stream halts.',
    normal: 'For a while after a deployment, or while a service that the handler uses is down.',
    run:
      "Look at the function's log at the offset N that the message names, fix the handler and " +
      'deploy. Then run `redrive`, or `resume` if the stream halted. A change that no handler can ' +
      "take (`onFailure: 'halt'`) halts each `resume` again: process it by hand, then skip it with " +
      '`npm run recovery -- reset --to-offset N+1 --accept-loss`. If `inspect` shows a stored ' +
      'offset below N, other functions have not reached N yet: `resume` first, until they have.',
  },
  FENCE_INVALID: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A handler gave the fence (`fencedUpdate`, `fencedDelete`) a value that DynamoDB cannot store ' +
      'unchanged, a key that contradicts the row, or more attributes than one update can set. Nothing ' +
      'was written; the change counts as failed.',
    normal: 'While a handler is new, or after a column got another type.',
    run:
      'Correct the handler as the message says and deploy; then `npm run recovery -- redrive`, or ' +
      '`resume` if the stream halted.',
  },
  ONCE_INVALID: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A handler called `once` with a change that cannot be told from others (its table has no primary key), or with more ' +
      'writes than a transaction carries. Nothing was written; the change counts as failed.',
    normal: 'While a handler is new.',
    run:
      'Correct the handler as the message says and deploy; then `npm run recovery -- redrive`, or ' +
      '`resume` if the stream halted.',
  },
  HANDLER_UNAVAILABLE: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'Lambda could not invoke a table function: it is missing, access is denied or throttled, or ' +
      'Lambda failed. Its changes wait; none becomes a dead letter for it.',
    normal: 'While Lambda throttles.',
    run: "Deploy the function, or correct the role or the account's concurrency.",
  },
  DEAD_LETTER_FAILED: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A change that no handler took could not be sent to the dead-letter queue, or the queue cannot ' +
      'be read. Nothing is committed past that change.',
    normal: 'For moments, when SQS is in trouble.',
    run: 'Check the queue, the bucket and the role with `npm run doctor`, then deploy.',
  },
  DEAD_LETTER_BREAKER: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'More than 20 changes became dead letters within five minutes, so the handler is probably at ' +
      'fault, not the changes. The stream halted.',
    normal: 'Never.',
    run:
      'Correct the handler and deploy. Then run `npm run recovery -- redrive`, then `npm run recovery ' +
      '-- resume`. With the same handler, the stream halts again.',
  },
  EVENT_TOO_LARGE: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A single change is larger than an invocation can carry. It goes to the dead-letter queue at ' +
      'once (with its bytes in the bucket), or the stream halts.',
    normal: 'With rows of several megabytes.',
    run:
      'Process it by hand from the dead letter. If the stream halted at the offset N that the message ' +
      'names, `resume` only halts again: copy the row from the source, then run `npm run recovery -- ' +
      'reset --to-offset N+1 --accept-loss`.',
  },
} as const satisfies Readonly<Record<ErrorCode, ErrorCodeEntry>>
