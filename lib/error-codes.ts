/** What a person has to know about an error code. `docs/runbook` is generated from these entries. */
export interface ErrorCodeEntry {
  /** The heading of the runbook's index under which the code is listed. */
  readonly section: string
  readonly meaning: string
  /** When the error is normal and needs no action. */
  readonly normal: string
  /** What to run or change, in Markdown. */
  readonly run: string
}

/** Every error that this project raises on purpose, by its stable code. */
export const errorCodes = {
  CONFIG_INVALID: {
    section: 'configuration',
    meaning:
      "The environment, an event or a handler's definition is not what its schema asks for; the " +
      'message lists everything that is wrong.',
    normal: 'Never in a deployed stack: `serverless deploy` refuses what the poller would refuse.',
    run:
      'Correct what the message lists. For the environment: export the variables again and `npx ' +
      'serverless deploy`; for an event: repeat it as the message says.',
  },
  BROKER_UNREACHABLE: {
    section: 'reaching DTS',
    meaning:
      "Nothing answers at DTS_BROKER_URL: a wrong address, DNS, a route, a security group, or DTS's " +
      'own white list.',
    normal: 'For a minute or two while DTS fails over; the next run tries again.',
    run: '`npm run doctor`; it says whether the name, the address or the port is at fault.',
  },
  NODE_UNREACHABLE: {
    section: 'reaching DTS',
    meaning:
      'The address of DTS_BROKER_URL answers and names the node that holds the data, but that node ' +
      'cannot be reached.',
    normal: 'While DTS fails over. Lasting: the network lets the function reach the proxy only.',
    run: "Allow the function's subnet to reach the node that the message names; then `npm run doctor`.",
  },
  NODE_NOT_ALLOWED: {
    section: 'reaching DTS',
    meaning:
      "The node named by the broker is neither a host of the bootstrap host's endpoint nor a " +
      'private address, or it is an address of this machine or of a metadata service. So no ' +
      'credentials were sent to it.',
    normal: 'After DTS moved an instance to other host names.',
    run:
      'Check with Alibaba Cloud that the host is theirs; if so, add it to DTS_ALLOWED_NODES and ' + 'deploy.',
  },
  AUTHENTICATION_FAILED: {
    section: 'reaching DTS',
    meaning: 'DTS refuses user, password or sid. The secret was read again once before this was said.',
    normal: 'Right after a rotation, until the secret holds the new password.',
    run: 'Compare DTS_USER, DTS_SID and the secret with the consumer group in the DTS console.',
  },
  SECRET_UNAVAILABLE: {
    section: 'reaching DTS',
    meaning: 'The secret that holds the password cannot be read, or holds none.',
    normal: 'Never.',
    run:
      'Do what the message says: correct DTS_PASSWORD_SECRET or the role of the function, or store ' +
      'the password as text or as JSON with "password" in quotes. Then `npm run doctor`.',
  },
  TOPIC_UNKNOWN: {
    section: 'reaching DTS',
    meaning: 'The topic does not exist on this broker, or this consumer may not see it.',
    normal: 'Never; a DTS task that was made anew has another topic.',
    run: 'Compare DTS_TOPIC with the DTS console; deploy. Another topic has a checkpoint of its own.',
  },
  PARTITION_UNKNOWN: {
    section: 'reaching DTS',
    meaning:
      'The topic has several partitions and DTS_PARTITION does not say which one to read, or names ' +
      'one that is not there.',
    normal: 'Only with plain Kafka topics: a DTS task has one partition.',
    run: 'Deploy one poller (stage or service) for each partition, with DTS_PARTITION set.',
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
      'The consumer group was last committed to by another deployment of this project, which the ' +
      'message names: two deployments use one sid. A first start is refused, and recovery does not ' +
      'take that commit for how far this stream was read. A stream that has a checkpoint continues ' +
      'by it and only reports the other deployment.',
    normal:
      'Once, when a deployment takes the place of one that had another service, stage, table or ' + 'region.',
    run:
      'Remove the other deployment, or give it a consumer group of its own in the DTS console. A ' +
      'first start then takes `npm run recovery -- reset --to T`, with the time from which this ' +
      'deployment has to read.',
  },
  SOURCE_SILENT: {
    section: 'reaching DTS',
    meaning:
      'DTS answers, and has written no record of any kind for more than a minute, not even a ' +
      'heartbeat. `doctor` and `inspect` say so; the poller has nothing to read meanwhile, and a ' +
      'lag of 0.',
    normal:
      'For a minute or two while DTS fails over, or while it fills a new cluster. A source that is ' +
      'busy beyond what DTS takes makes DTS late itself.',
    run:
      'Look at the task in the DTS console: paused, expired and released tasks write nothing. Start ' +
      'or renew it; the poller reads on by itself. If its cluster changed by that, `npm run ' +
      'recovery -- inspect`.',
  },
  BROKER_FAILED: {
    section: 'reaching DTS',
    meaning: 'A request to the broker failed or timed out, or the connection was lost.',
    normal: 'Now and then; the next run tries again. Every minute: DTS or the network is in trouble.',
    run: 'If it lasts, `npm run doctor`, and look at the task in the DTS console.',
  },
  PROTOCOL_UNSUPPORTED: {
    section: 'reaching DTS',
    meaning:
      'What answers is no Kafka broker, or one whose protocol versions or codecs are not understood ' +
      'here.',
    normal: 'Never.',
    run: 'Check the port of DTS_BROKER_URL, and DTS_TLS.',
  },
  BATCH_CORRUPT: {
    section: 'what the stream contains',
    meaning:
      'A record batch fails its checksum or is malformed. It is fetched up to five times, then the ' +
      'stream halts; nothing is read past it.',
    normal: 'Once in a while through bad memory or cables: then a later try reads it.',
    run:
      'If the stream halted: `npm run recovery -- inspect`, which tries to read the batch and ' +
      'recommends `resume` only where that works. Where it fails, the log itself is damaged: open a ' +
      'ticket with Alibaba Cloud; continuing after the batch needs `reset --to-offset N ' +
      '--accept-loss`, with the offset that inspect names, and loses what the batch holds.',
  },
  BATCH_TOO_LARGE: {
    section: 'what the stream contains',
    meaning: 'A record batch or record is larger than the limits allow, or claims to be.',
    normal: 'Never.',
    run:
      '`npm run recovery -- inspect`, which tries to read it: while that fails, a `resume` halts ' +
      'again. If the record is real, raise the limits in lib/kafka/batch.ts and the memory of ' +
      'poller and recovery, deploy, and `inspect` again.',
  },
  RECORD_INVALID: {
    section: 'what the stream contains',
    meaning:
      'A record whose checksum is right cannot be decoded as a DTS record, or a column holds bytes ' +
      'that are not text in its character set. Its bytes go to the dead-letter queue; without a ' +
      'queue the stream halts before it.',
    normal: 'Never; after an upgrade of DTS it may mean that the format changed.',
    run:
      'Look at the dead letter (`redrive --dry-run`). If the message names a character set: set ' +
      "`invalidText: 'replace'` in the table's file if U+FFFD may stand in for those bytes, deploy, " +
      'and `redrive`. If the stream halted: `reset --to-offset N+1 --accept-loss`.',
  },
  CHANGE_JSON_INVALID: {
    section: 'what the stream contains',
    meaning:
      'A text or object is not the JSON form of a change; the message names each place and what it ' +
      'asks for.',
    normal: 'While a change is written by hand.',
    run: 'See docs/change-json.md.',
  },
  ROW_INVALID: {
    section: 'what the stream contains',
    meaning: "A declared column is missing, or has another type than the handler's row schema declares.",
    normal: 'After an ALTER TABLE, until the handler is changed.',
    run:
      'Correct the schema in functions/tables, deploy; then `npm run recovery -- redrive --table ' +
      'T`, or `resume` if the stream halted. A row that no schema should take, at offset N of a ' +
      'halted stream, is passed with `npm run recovery -- reset --to-offset N+1 --accept-loss`.',
  },
  TABLE_UNROUTED: {
    section: 'what the stream contains',
    meaning: 'A table has no handler, and UNROUTED_TABLES is halt.',
    normal: 'After a table was created.',
    run: 'Add a handler or set UNROUTED_TABLES to skip, deploy, then `npm run recovery -- resume`.',
  },
  CHECKPOINT_OUT_OF_RANGE: {
    section: 'position',
    meaning: 'No record can be read for the time or offset asked for; the message names the data range.',
    normal: 'Right after a failover, while DTS fills the new cluster.',
    run: 'Wait and repeat, or choose a place inside the range.',
  },
  SEARCH_UNFINISHED: {
    section: 'position',
    meaning:
      'After a cluster change, the last committed change was not found in the part of the log that ' +
      'one invocation can read. Whether it is in the rest is not known, so nothing was done.',
    normal: 'With very large logs that do not hold that change, or hold it far from its time.',
    run:
      'Raise the timeout of the function "recovery" in serverless.yml, deploy, and run the same ' +
      'again; the message says how far the search got.',
  },
  CHECKPOINT_MISSING: {
    section: 'position',
    meaning: 'There is no stored checkpoint, and no DTS_CHECKPOINT to start from.',
    normal: 'Before the first run. Later: somebody deleted the item.',
    run:
      'Set DTS_CHECKPOINT and deploy; after a deletion, restore the table to a time before it ' +
      '(point-in-time recovery), or `reset --to-timestamp`.',
  },
  CHECKPOINT_RESTORED: {
    section: 'position',
    meaning:
      'The checkpoint item was restored from a backup: this deployment has committed a later ' +
      'position, or one of a younger generation, to its consumer group. The stream halted before ' +
      'any handler was invoked. In the older generation handlers with the fence would take new ' +
      'changes for old ones and skip them without a word.',
    normal: 'After a restore of the table (point-in-time recovery), or of the item.',
    run:
      '`npm run recovery -- inspect`, then `npm run recovery -- reset --to committed`: the stream ' +
      'continues where the group is, in a new generation, and what may repeat is marked. Where the ' +
      "handlers' own tables were restored too: `npm run recovery -- reset --to T` with the time of " +
      'that backup. Always end a restore with a reset: it takes a generation that was never used, ' +
      'also where the group has no commit that could show the restore.',
  },
  CHECKPOINT_INVALID: {
    section: 'position',
    meaning: 'The stored checkpoint item is not one that this version can read.',
    normal: 'Never; after going back to a version with another schemaVersion it can be.',
    run:
      'Deploy the version that wrote it. Where somebody wrote into it by hand: restore the table to ' +
      'a time before (point-in-time recovery) under another name, and copy the item back. Do not ' +
      'delete it: it alone knows what was handled.',
  },
  CLUSTER_CHANGED: {
    section: 'position',
    meaning:
      'Another cluster answers than the checkpoint belongs to: the stored offset means nothing ' +
      'there. The stream halted before any handler was invoked.',
    normal: 'After a failover of DTS.',
    run:
      '`npm run recovery -- inspect`, then `npm run recovery -- reset`: it continues after the last ' +
      'committed change where the new log holds it. Otherwise inspect says what repeats, or which ' +
      'times are lost.',
  },
  LOG_CHANGED: {
    section: 'position',
    meaning:
      'The cluster id is the same, but the log does not hold the record that was committed last. ' +
      'The stream halted before any handler was invoked.',
    normal: 'After DTS restored or rebuilt the log.',
    run: 'As for CLUSTER_CHANGED: `inspect`, then `reset`.',
  },
  STREAM_HALTED: {
    section: 'position',
    meaning: 'The stream is halted; each run says so and does nothing. The message repeats why.',
    normal: 'Until somebody has run recovery.',
    run: '`npm run recovery -- inspect`, and the command that it recommends.',
  },
  PAUSED: {
    section: 'position',
    meaning: 'The stream was stopped by a person.',
    normal: 'Yes; that is what pause does.',
    run: '`npm run recovery -- resume` when ready.',
  },
  PLAN_OUTDATED: {
    section: 'position',
    meaning: 'The plan of a dry run no longer fits: checkpoint or log moved meanwhile. Nothing was done.',
    normal: 'When the poller ran between the dry run and this.',
    run: '`npm run recovery -- pause` first, then the dry run again.',
  },
  DATA_GAP: {
    section: 'position',
    meaning:
      'Going on would lose changes: they are no longer in the data range, or lie before the place ' +
      'asked for. The message says from when to when.',
    normal: 'After the stream stood still for longer than DTS keeps data.',
    run:
      'Copy the affected rows from the source, then repeat with `--accept-loss`; the ledger keeps ' +
      'what was lost.',
  },
  LEASE_HELD: {
    section: 'lease',
    meaning: 'Another run holds the lease, or something moved the checkpoint at the same moment.',
    normal: 'When schedules overlap; the poller just leaves. For recovery: a run is at work.',
    run: 'Wait until the time in the message and repeat; `pause` keeps new runs from starting.',
  },
  LEASE_TOO_LONG: {
    section: 'lease',
    meaning:
      'The lease ends later than any run can hold it: the clock of the machine that took it was ' +
      'wrong, or somebody wrote into the item. Nothing is delivered until it ends.',
    normal: 'Never.',
    run:
      '`npm run recovery -- release`: it breaks the lease. The next run starts when an invocation ' +
      'of the old holder must have ended; the answer says when.',
  },
  LEASE_LOST: {
    section: 'lease',
    meaning:
      'The lease went to another run during this one; this one stopped and has written nothing ' + 'since.',
    normal: 'After a freeze or a very slow DynamoDB.',
    run:
      "Nothing, where the runs after it end well (`Poll ended` in the poller's log). Often: raise " +
      "the poller's memory.",
  },
  CHECKPOINT_TABLE_UNAVAILABLE: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'The checkpoint table does not exist, may not be used by this role, or DynamoDB is in ' + 'trouble.',
    normal: 'For moments, when DynamoDB throttles; no handler is invoked that the lease does not cover.',
    run: '`npm run doctor`; deploy the stack, or correct CHECKPOINT_TABLE.',
  },
  HANDLER_FAILED: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A table function answered with an error, timed out, or its answer is no acknowledgement. It ' +
      'is tried again, then bisected, then the change goes to the dead-letter queue, or the stream ' +
      'halts.',
    normal: 'For a while after a deployment or while something behind the handler is down.',
    run:
      "Look at the function's log at the offset N that the message names, mend the handler and " +
      'deploy. Afterwards `redrive`, or `resume` if the stream halted. A change that no handler can ' +
      "take (`onFailure: 'halt'`) halts each `resume` again: handle it by hand, then pass it with " +
      '`npm run recovery -- reset --to-offset N+1 --accept-loss`. Where `inspect` shows a stored ' +
      'offset below N, other functions have yet to get there: `resume` first, until they have.',
  },
  FENCE_INVALID: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A handler gave the fence (`fencedUpdate`, `fencedDelete`) a value that DynamoDB cannot store ' +
      'as it is, or a key that contradicts the row. Nothing was written; the change counts as ' +
      'failed.',
    normal: 'While a handler is new, or after a column got another type.',
    run:
      'Correct the handler as the message says and deploy; then `npm run recovery -- redrive`, or ' +
      '`resume` if the stream halted.',
  },
  HANDLER_UNAVAILABLE: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A table function could not be invoked: missing, denied, throttled, or Lambda failed. Its ' +
      'changes wait; none is given up for it.',
    normal: 'While Lambda throttles.',
    run: "Deploy the function, or correct the role or the account's concurrency.",
  },
  DEAD_LETTER_FAILED: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A change that was given up could not be put into the dead-letter queue, or the queue cannot ' +
      'be read. Nothing is committed past it.',
    normal: 'For moments, when SQS is in trouble.',
    run: 'Check queue, bucket and role with `npm run doctor`; deploy.',
  },
  DEAD_LETTER_BREAKER: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'More than 20 changes were given up within five minutes, so the handler is probably at fault, ' +
      'not the changes. The stream halted.',
    normal: 'Never.',
    run:
      'Correct the handler, deploy, `npm run recovery -- redrive`, then `resume`; the same handler ' +
      'halts the stream again.',
  },
  EVENT_TOO_LARGE: {
    section: 'DynamoDB, Lambda, SQS',
    meaning:
      'A single change is larger than an invocation carries. It is given up at once: dead-letter ' +
      'queue (with the bytes in the bucket), or halt.',
    normal: 'With rows of several megabytes.',
    run:
      'Handle it by hand from the dead letter. If the stream halted, at the offset N that the ' +
      'message names, `resume` only halts again: copy the row from the source, then `npm run ' +
      'recovery -- reset --to-offset N+1 --accept-loss`.',
  },
} as const satisfies Readonly<Record<string, ErrorCodeEntry>>

export type ErrorCode = keyof typeof errorCodes

export const errorCodeNames = Object.keys(errorCodes) as readonly ErrorCode[]
