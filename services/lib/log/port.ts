/**
 * The log: an append-only, partitioned, keyed log with consumer groups. Two adapters, one contract suite
 * (test/contracts/log): the embedded log (SQLite) and Apache Kafka. Order holds per key, because equal keys share a
 * partition (murmur2, as Kafka's default partitioner does) and a partition is ordered.
 */

/** What is appended. `value` may be empty; `headers` are few and small. */
export type LogRecord = {
  readonly key: Buffer
  readonly value: Buffer
  readonly headers: Readonly<Record<string, Buffer>>
}

/** Where a record stands: offsets are dense enough to resume from, not necessarily contiguous (Kafka). */
export type LogPosition = {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
}

/** A record as read. `timestamp_ms` is when the log took it. */
export type StoredRecord = LogRecord & LogPosition & { readonly timestamp_ms: number }

/** Records of one partition in offset order; never empty. */
export type LogBatch = {
  readonly topic: string
  readonly partition: number
  readonly records: readonly StoredRecord[]
}

/** An inclusive range of offsets in one partition. */
export type LogRange = {
  readonly topic: string
  readonly partition: number
  readonly lo: bigint
  readonly hi: bigint
}

/**
 * What a batch handler may do with its batch.
 *
 * The exactly-once protocol of a consumer that writes elsewhere: `plan(range)` makes the range durable before the effect;
 * after a crash the next owner gets exactly the planned range again, as one batch, with `planned` set, so that the effect
 * carries the same deduplication token. `done()` says that the batch took effect: the position moves behind it.
 */
export type BatchContext = {
  /** The range this batch must be taken as (a crash happened between plan and done), or null for a fresh batch. */
  readonly planned: LogRange | null
  /** Makes the intent durable. `range.lo` is the batch's first offset. Throws CairnError('log_fenced') if this consumer lost the partition. */
  readonly plan: (range: LogRange) => Promise<void>
  /**
   * The batch took effect, up to and including `upTo` (default: the whole batch; a smaller one leads to redelivery of the rest).
   * May also come after `onBatch` has returned without it, while later batches are on their way (a sink that acknowledges behind a
   * window): then only the position moves, and nothing is redelivered; batches of a partition in order. Throws CairnError('log_fenced') when lost.
   */
  readonly done: (upTo?: bigint) => Promise<void>
  /** Keep-alive for long work (Kafka's heartbeat). */
  readonly heartbeat: () => Promise<void>
  /** Aborted when the partition is taken away or the subscription stops. */
  readonly signal: AbortSignal
}

export type SubscribeOptions = {
  readonly group: string
  readonly topics: readonly string[]
  /** Upper bound of a batch, records. */
  readonly batch_records_max?: number
  /** Upper bound of a batch, bytes of keys and values (a single larger record still comes alone). */
  readonly batch_bytes_max?: number
  /** How long to wait for more records when there are fewer than a batch, milliseconds. */
  readonly linger_ms?: number
  /** Where a group without a position begins. */
  readonly from?: 'beginning' | 'end'
  /**
   * Called for one batch of a partition at a time; partitions may run side by side. If it throws, the batch is
   * redelivered after a back-off. If it returns without `done()`, nothing is committed and the same batch comes again after a restart only.
   */
  readonly onBatch: (batch: LogBatch, ctx: BatchContext) => Promise<void>
  /** Trouble that the subscription survives (retry, rebalance); for log lines and metrics. */
  readonly onTrouble?: (error: Error) => void
}

export interface LogSubscription extends AsyncDisposable {
  /** Resolves when the subscription has stopped; rejects if it stopped for a reason it cannot survive. */
  readonly finished: Promise<void>
}

export type FollowOptions = {
  readonly topic: string
  /** Called with records of one partition, in offset order, none twice. Must not throw. */
  readonly onRecords: (records: readonly StoredRecord[]) => void
  /** Trouble that the follower survives; for log lines and metrics. */
  readonly onTrouble?: (error: Error) => void
}

/** Reads a whole topic for as long as it is open: every follower sees every record. */
export interface LogFollower extends AsyncDisposable {
  /** Resolves when what stood in the topic as the follower was opened has been handed out. */
  readonly caughtUp: Promise<void>
}

export type TopicLag = {
  readonly topic: string
  readonly partition: number
  /** First offset still kept. */
  readonly low: bigint
  /** Offset the next record gets. */
  readonly high: bigint
  /** Committed position of the group: offset of the next record it wants; null if none yet. */
  readonly committed: bigint | null
}

/** The log as its users see it. */
export interface Log extends AsyncDisposable {
  /**
   * Appends records in order; resolves when they are durable (embedded: committed with synchronous=FULL; Kafka: acknowledged by all
   * in-sync replicas). Positions come in the order of the records. All or none per call in the embedded log; per partition in Kafka.
   * Throws CairnError('log_unavailable') when the log cannot take them (nothing is dropped: the caller still has them; appends that were
   * waiting behind fail too, so that appending again in order keeps the order), 'log_record_too_large', 'log_unknown_topic'.
   * After 'log_unavailable' from Kafka the records may stand in the log all the same: appending again may write them twice.
   */
  append(topic: string, records: readonly LogRecord[]): Promise<readonly LogPosition[]>
  subscribe(options: SubscribeOptions): Promise<LogSubscription>
  /**
   * Follows a topic from its first kept record on, without a group and without a position: for state that every process folds for itself. A
   * record that this process appended comes as soon as it is durable, one of another process within 25 ms (embedded) or as the broker hands it out.
   * Throws CairnError('log_unknown_topic' | 'log_unavailable').
   */
  follow(options: FollowOptions): Promise<LogFollower>
  /** Reads a range without a group, for rebuilds and tools; the iterator ends at `hi` or at the end of the partition as of the call. */
  read(topic: string, partition: number, from: bigint, to?: bigint): AsyncIterable<StoredRecord>
  /** Partitions of a topic, with their bounds and a group's position. */
  lag(group: string, topics: readonly string[]): Promise<readonly TopicLag[]>
  /** Creates missing topics; changes nothing that exists except adding partitions is refused with an error. */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>
}

export type TopicSpec = {
  readonly name: string
  readonly partitions: number
  readonly replication?: number
  readonly retention_ms?: number
  readonly retention_bytes?: number
}
