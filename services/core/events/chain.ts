import { bySchemaId } from './catalogue.ts'
import { decodeValue } from './codec.ts'
import { readFrame } from './framing.ts'
import { decodeHeader, leafHash, valueHash, zero_hash, type RecordHeader } from './header.ts'

/**
 * The session chain (evidence, level 2). Of a session's records, in order: `sseq` counts from 0
 * without a hole, `sprev` is the leaf hash of the record before, the session id is the leaf hash of
 * the first, every value hashes to what its header says, session.ended counts them all. The last
 * record therefore commits to the whole session.
 */

/** A record as stored: the header's bytes (log header `cairn-leaf`) and the value's. */
export type ChainRecord = { readonly header: Buffer; readonly value: Buffer }

/** What can be wrong with a record. */
export type ChainReason =
  | 'header'
  | 'first'
  | 'session'
  | 'sseq'
  | 'sprev'
  | 'gseq'
  | 'epoch'
  | 'value'
  | 'schema'
  | 'after_end'
  | 'count'

export type ChainFault = {
  readonly ok: false
  /** Which record, counted from 0 in the order given. */
  readonly index: number
  readonly reason: ChainReason
  readonly detail: string
}

export type ChainState = {
  readonly ok: true
  /** Session id; null before the first record. */
  readonly session: Buffer | null
  readonly records: number
  /** Leaf hash of the last record. */
  readonly leaf: Buffer
  /** session.ended was seen. */
  readonly ended: boolean
  readonly header: RecordHeader | null
}

/** Nothing read yet. */
export const chainStart: ChainState = {
  ok: true,
  session: null,
  records: 0,
  leaf: zero_hash,
  ended: false,
  header: null,
}

/** How the header stands to those before it; null if well. */
const orderProblem = (
  state: ChainState,
  header: RecordHeader,
): readonly [ChainReason, string] | null => {
  if (state.ended) return ['after_end', 'a record after session.ended']
  if (header.sseq !== state.records)
    return ['sseq', `sseq ${header.sseq} where ${state.records} was expected`]
  if (!header.sprev.equals(state.leaf))
    return ['sprev', 'sprev is not the leaf hash of the record before']
  const before = state.header
  if (before === null || state.session === null) {
    if (header.code !== 'CRN1100I') return ['first', `the first record is ${header.code}`]
    return header.session.equals(zero_hash)
      ? null
      : ['session', 'the session id inside session.started is not zero']
  }
  if (!header.session.equals(state.session)) return ['session', 'another session id']
  if (!header.gateway.equals(before.gateway) || !header.epoch.equals(before.epoch))
    return ['epoch', 'another gateway or epoch']
  return header.gseq > before.gseq
    ? null
    : ['gseq', `gseq ${header.gseq} does not come after ${before.gseq}`]
}

/** How the value stands to its header; null if well. */
const valueProblem = (
  header: RecordHeader,
  value: Buffer,
): readonly [ChainReason, string] | null => {
  if (header.value_bytes !== value.length)
    return ['value', `${value.length} bytes where ${header.value_bytes} were recorded`]
  if (!header.value.equals(valueHash(value))) return ['value', 'the value has another hash']
  const entry = bySchemaId.get(readFrame(value) ?? -1)
  if (entry === undefined) return null
  if (entry.code !== header.code) return ['schema', `a value of ${entry.code}`]
  return entry.schemaHash.equals(header.schema)
    ? null
    : ['schema', 'the schema has another hash than the one of its id']
}

const countProblem = (
  header: RecordHeader,
  value: Buffer,
): readonly [ChainReason, string] | null => {
  if (header.code !== 'CRN1102I') return null
  const decoded = decodeValue(value)
  if (!decoded.ok || decoded.type !== 'session.ended') return null
  return decoded.event.records === header.sseq + 1
    ? null
    : [
        'count',
        `session.ended counts ${decoded.event.records} records, it is number ${header.sseq + 1}`,
      ]
}

/**
 * Takes the next record of a session. Pure: gives the new state, or what is wrong with this record.
 */
export const chainNext = (state: ChainState, record: ChainRecord): ChainState | ChainFault => {
  const index = state.records
  const fault = ([reason, detail]: readonly [ChainReason, string]): ChainFault => ({
    ok: false,
    index,
    reason,
    detail,
  })
  const decoded = decodeHeader(record.header)
  if (!decoded.ok) return fault(['header', decoded.detail])
  const { header } = decoded
  const problem =
    orderProblem(state, header) ??
    valueProblem(header, record.value) ??
    countProblem(header, record.value)
  if (problem !== null) return fault(problem)
  const leaf = leafHash(record.header)
  return {
    ok: true,
    session: state.session ?? leaf,
    records: state.records + 1,
    leaf,
    ended: header.code === 'CRN1102I',
    header,
  }
}

/**
 * Verifies a session's records in order; gives the end state, or the first record that is wrong and
 * why. A session that still runs, or whose gateway died, is whole as far as it goes: `ended` tells.
 * @param session id that the records must belong to, if one is expected
 */
export const verifyChain = (
  records: Iterable<ChainRecord>,
  session?: Buffer,
): ChainState | ChainFault => {
  let state = chainStart
  for (const record of records) {
    const next = chainNext(state, record)
    if (!next.ok) return next
    if (session !== undefined && !session.equals(next.session ?? zero_hash))
      return {
        ok: false,
        index: 0,
        reason: 'session',
        detail: 'session.started has another leaf hash',
      }
    state = next
  }
  return state
}
