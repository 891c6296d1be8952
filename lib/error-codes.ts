/**
 * Every error that this project raises on purpose, by its stable code. The comment above a code says what it means,
 * when it is normal (`@normal`) and what to run (`@run`); docs/runbook is generated from these comments.
 */
export const errorCodes = [
  // ── configuration ──
  /**
   * The environment, an event or a handler's definition is not what its schema asks for; the message lists
   * everything that is wrong.
   * @normal Never in a deployed stack: `serverless deploy` refuses what the poller would refuse.
   * @run Correct what the message lists. For the environment: export the variables again and `npx serverless
   * deploy`; for an event: repeat it as the message says.
   */
  'CONFIG_INVALID',

  // ── reaching DTS ──
  /**
   * Nothing answers at DTS_BROKER_URL: a wrong address, DNS, a route, a security group, or DTS's own white
   * list.
   * @normal For a minute or two while DTS fails over; the next run tries again.
   * @run `npm run doctor`; it says whether the name, the address or the port is at fault.
   */
  'BROKER_UNREACHABLE',
  /**
   * The address of DTS_BROKER_URL answers and names the node that holds the data, but that node cannot be
   * reached.
   * @normal While DTS fails over. Lasting: the network lets the function reach the proxy only.
   * @run Allow the function's subnet to reach the node that the message names; then `npm run doctor`.
   */
  'NODE_UNREACHABLE',
  /**
   * The node named by the broker is neither a sibling of the bootstrap host nor a private address, so no
   * credentials were sent to it.
   * @normal After DTS moved an instance to other host names.
   * @run Check with Alibaba Cloud that the host is theirs; if so, add it to DTS_ALLOWED_NODES and deploy.
   */
  'NODE_NOT_ALLOWED',
  /**
   * DTS refuses user, password or sid. The secret was read again once before this was said.
   * @normal Right after a rotation, until the secret holds the new password.
   * @run Compare DTS_USER, DTS_SID and the secret with the consumer group in the DTS console.
   */
  'AUTHENTICATION_FAILED',
  /**
   * The secret that holds the password cannot be read, or holds none.
   * @normal Never.
   * @run Check DTS_PASSWORD_SECRET, that the secret is a text or JSON with "password", and the role of the
   * function.
   */
  'SECRET_UNAVAILABLE',
  /**
   * The topic does not exist on this broker, or this consumer may not see it.
   * @normal Never; a DTS task that was made anew has another topic.
   * @run Compare DTS_TOPIC with the DTS console; deploy. Another topic has a checkpoint of its own.
   */
  'TOPIC_UNKNOWN',
  /**
   * The topic has several partitions and DTS_PARTITION does not say which one to read, or names one that is not
   * there.
   * @normal Only with plain Kafka topics: a DTS task has one partition.
   * @run Deploy one poller (stage or service) for each partition, with DTS_PARTITION set.
   */
  'PARTITION_UNKNOWN',
  /**
   * DTS refuses the consumer group: it must equal the sid.
   * @normal Never. The checkpoint does not depend on the group; only the courtesy commit fails.
   * @run Remove DTS_GROUP, or set DTS_SID to the consumer group id of the DTS console.
   */
  'GROUP_REFUSED',
  /**
   * A request to the broker failed or timed out, or the connection was lost.
   * @normal Now and then; the next run tries again. Every minute: DTS or the network is in trouble.
   * @run If it lasts, `npm run doctor`, and look at the task in the DTS console.
   */
  'BROKER_FAILED',
  /**
   * What answers is no Kafka broker, or one whose protocol versions or codecs are not understood here.
   * @normal Never.
   * @run Check the port of DTS_BROKER_URL, and DTS_TLS.
   */
  'PROTOCOL_UNSUPPORTED',

  // ── what the stream contains ──
  /**
   * A record batch fails its checksum or is malformed. It is fetched up to five times, then the stream halts;
   * nothing is read past it.
   * @normal Once in a while through bad memory or cables; it cures itself.
   * @run If the stream halted: `npm run recovery -- inspect`, then `resume`. If it halts again, the log itself
   * is damaged: open a ticket with Alibaba Cloud; going on behind the batch needs `reset --to-offset N
   * --accept-loss`.
   */
  'BATCH_CORRUPT',
  /**
   * A record batch or record is larger than the limits allow, or claims to be.
   * @normal Never.
   * @run `npm run recovery -- inspect`. If the record is real, raise the limits in lib/kafka/batch.ts and the
   * poller's memory, deploy, and `resume`.
   */
  'BATCH_TOO_LARGE',
  /**
   * A record whose checksum is right cannot be decoded as a DTS record. Its bytes go to the dead-letter queue;
   * without a queue the stream halts before it.
   * @normal Never; after an upgrade of DTS it may mean that the format changed.
   * @run Look at the dead letter (`redrive --dry-run`). If the stream halted: `reset --to-offset N+1
   * --accept-loss`.
   */
  'RECORD_INVALID',
  /**
   * A text or object is not the JSON form of a change; the message names each place and what it asks for.
   * @normal While a change is written by hand.
   * @run See docs/change-json.md.
   */
  'CHANGE_JSON_INVALID',
  /**
   * A declared column is missing, or has another type than the handler's row schema declares.
   * @normal After an ALTER TABLE, until the handler is changed.
   * @run Correct the schema in functions/tables, deploy; then `npm run recovery -- redrive --table T`, or `resume` if
   * the stream halted. A row that no schema should take, at offset N of a halted stream, is passed with `npm run
   * recovery -- reset --to-offset N+1 --accept-loss`.
   */
  'ROW_INVALID',
  /**
   * A table has no handler, and UNROUTED_TABLES is halt.
   * @normal After a table was created.
   * @run Add a handler or set UNROUTED_TABLES to skip, deploy, then `npm run recovery -- resume`.
   */
  'TABLE_UNROUTED',

  // ── position ──
  /**
   * No record can be read for the time or offset asked for; the message names the data range.
   * @normal Right after a failover, while DTS fills the new cluster.
   * @run Wait and repeat, or choose a place inside the range.
   */
  'CHECKPOINT_OUT_OF_RANGE',
  /**
   * After a cluster change, the last committed change was not found in the part of the log that one invocation can
   * read. Whether it is in the rest is not known, so nothing was done.
   * @normal With very large logs that do not hold that change, or hold it far from its time.
   * @run Raise the timeout of the function "recovery" in serverless.yml, deploy, and run the same again; the message
   * says how far the search got.
   */
  'SEARCH_UNFINISHED',
  /**
   * There is no stored checkpoint, and no DTS_CHECKPOINT to start from.
   * @normal Before the first run. Later: somebody deleted the item.
   * @run Set DTS_CHECKPOINT and deploy; after a deletion, restore the table to a time before it (point-in-time
   * recovery), or `reset --to-timestamp`.
   */
  'CHECKPOINT_MISSING',
  /**
   * The stored checkpoint item is not one that this version can read.
   * @normal Never; after going back to a version with another schemaVersion it can be.
   * @run Deploy the version that wrote it. Where somebody wrote into it by hand: restore the table to a time before
   * (point-in-time recovery) under another name, and copy the item back. Do not delete it: it alone knows what was
   * handled.
   */
  'CHECKPOINT_INVALID',
  /**
   * Another cluster answers than the checkpoint belongs to: the stored offset means nothing there. The stream
   * halted before any handler was invoked.
   * @normal After a failover of DTS.
   * @run `npm run recovery -- inspect`, then `npm run recovery -- reset`: it goes on behind the last committed
   * change.
   */
  'CLUSTER_CHANGED',
  /**
   * The cluster id is the same, but the log does not hold the record that was committed last. The stream halted
   * before any handler was invoked.
   * @normal After DTS restored or rebuilt the log.
   * @run As for CLUSTER_CHANGED: `inspect`, then `reset`.
   */
  'LOG_CHANGED',
  /**
   * The stream is halted; each run says so and does nothing. The message repeats why.
   * @normal Until somebody has run recovery.
   * @run `npm run recovery -- inspect`, and the command that it recommends.
   */
  'STREAM_HALTED',
  /**
   * The stream was stopped by a person.
   * @normal Yes; that is what pause does.
   * @run `npm run recovery -- resume` when ready.
   */
  'PAUSED',
  /**
   * The plan of a dry run no longer fits: checkpoint or log moved meanwhile. Nothing was done.
   * @normal When the poller ran between the dry run and this.
   * @run `npm run recovery -- pause` first, then the dry run again.
   */
  'PLAN_OUTDATED',
  /**
   * Going on would lose changes: they are no longer in the data range, or lie before the place asked for. The
   * message says from when to when.
   * @normal After the stream stood still for longer than DTS keeps data.
   * @run Copy the affected rows from the source, then repeat with `--accept-loss`; the ledger keeps what was
   * lost.
   */
  'DATA_GAP',

  // ── lease ──
  /**
   * Another run holds the lease, or something moved the checkpoint at the same moment.
   * @normal When schedules overlap; the poller just leaves. For recovery: a run is at work.
   * @run Wait until the time in the message and repeat; `pause` keeps new runs from starting.
   */
  'LEASE_HELD',
  /**
   * The lease went to another run during this one; this one stopped and wrote nothing.
   * @normal After a freeze or a very slow DynamoDB.
   * @run Nothing; the run that took over goes on. Often: raise the poller's memory.
   */
  'LEASE_LOST',

  // ── DynamoDB, Lambda, SQS ──
  /**
   * The checkpoint table does not exist, may not be used by this role, or DynamoDB is in trouble.
   * @normal For moments, when DynamoDB throttles; no handler is invoked that the lease does not cover.
   * @run `npm run doctor`; deploy the stack, or correct CHECKPOINT_TABLE.
   */
  'CHECKPOINT_TABLE_UNAVAILABLE',
  /**
   * A table function answered with an error, timed out, or its answer is no acknowledgement. It is tried again,
   * then bisected, then the change goes to the dead-letter queue, or the stream halts.
   * @normal For a while after a deployment or while something behind the handler is down.
   * @run Look at the function's log at the offset N that the message names, mend the handler and deploy. Afterwards
   * `redrive`, or `resume` if the stream halted. A change that no handler can take (`onFailure: 'halt'`) halts each
   * `resume` again: handle it by hand, then pass it with `npm run recovery -- reset --to-offset N+1 --accept-loss`. Where
   * `inspect` shows a stored offset below N, other functions have yet to get there: `resume` first, until they have.
   */
  'HANDLER_FAILED',
  /**
   * A table function could not be invoked: missing, denied, throttled, or Lambda failed. Its changes wait; none
   * is given up for it.
   * @normal While Lambda throttles.
   * @run Deploy the function, or correct the role or the account's concurrency.
   */
  'HANDLER_UNAVAILABLE',
  /**
   * A change that was given up could not be put into the dead-letter queue, or the queue cannot be read.
   * Nothing is committed past it.
   * @normal For moments, when SQS is in trouble.
   * @run Check queue, bucket and role with `npm run doctor`; deploy.
   */
  'DEAD_LETTER_FAILED',
  /**
   * More than 20 changes were given up within five minutes, so the handler is probably at fault, not the changes. The stream halted.
   * @normal Never.
   * @run Mend the handler, deploy, `npm run recovery -- redrive`, then `resume`.
   */
  'DEAD_LETTER_BREAKER',
  /**
   * A single change is larger than an invocation carries. It is given up at once: dead-letter queue (with the
   * bytes in the bucket), or halt.
   * @normal With rows of several megabytes.
   * @run Handle it by hand from the dead letter. If the stream halted, at the offset N that the message names,
   * `resume` only halts again: copy the row from the source, then `npm run recovery -- reset --to-offset N+1
   * --accept-loss`.
   */
  'EVENT_TOO_LARGE',
] as const

export type ErrorCode = (typeof errorCodes)[number]
