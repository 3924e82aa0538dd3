import { decodeValue, type DecodedEvent } from '#core/events/codec.ts'
import { openLog, type LogConfig } from '#lib/log/open.ts'
import type { StoredRecord } from '#lib/log/port.ts'

type Recorded<Decoded> = Decoded extends { readonly type: infer Type; readonly event: infer Event }
  ? Event & {
      readonly type: Type
      /** Session id, hex; empty without a session. */
      readonly session: string
    }
  : never

/** An event as it stands in the log. */
export type RecordedEvent = Recorded<DecodedEvent>

export const recordedEvent = (record: StoredRecord): RecordedEvent => {
  const decoded = decodeValue(record.value)
  if (!decoded.ok) throw new Error(`a record that cannot be decoded: ${decoded.detail}`)
  return {
    ...decoded.event,
    type: decoded.type,
    session: record.key.length === 32 ? record.key.toString('hex') : '',
  } as RecordedEvent
}

export interface TrailReader extends AsyncDisposable {
  /** What the log has taken since the last call; order holds within a session. */
  next(): Promise<readonly RecordedEvent[]>
}

/** Reads topics of a log from their beginning on, a bit at a time. */
export const openTrailReader = async (
  config: LogConfig,
  data_dir: string,
  topics: readonly string[] = ['cairn.audit'],
): Promise<TrailReader> => {
  const log = await openLog(config, { data_dir })
  const at = topics.flatMap((topic) =>
    Array.from({ length: config.partitions }, (_, partition) => ({ topic, partition, from: 0n })),
  )
  return {
    next: async () => {
      const found: RecordedEvent[] = []
      for (const place of at)
        for await (const record of log.read(place.topic, place.partition, place.from)) {
          place.from = record.offset + 1n
          found.push(recordedEvent(record))
        }
      return found
    },
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  }
}
