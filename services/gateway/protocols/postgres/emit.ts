import type { Item, Run } from './batch.ts'
import type { Command } from './command.ts'
import type { NativeError } from './errors.ts'
import { executeMessage, queryMessage } from './frontend-writes.ts'
import { settle, type EntryKind } from './in-flight.ts'
import { frontend } from './wire.ts'

/**
 * Third step of the intake: what was recorded and allowed is gathered for one write, and each message takes its place among those in flight.
 *
 * In the place of a refused command stands one message that fails at the server: it aborts the transaction, skips to the next
 * Sync and answers at the right moment by the server's own rules; the relay turns that error into the refusal. For an extended
 * command it is an Execute of a portal that does not exist, for a simple one (which ends with ReadyForQuery) a Query that is no SQL.
 */

/** No SQL in any version, and harmless if it were. */
const failingQuery = queryMessage('cairn_refused')

const kinds: Readonly<Record<number, EntryKind>> = {
  [frontend.query]: 'query',
  [frontend.parse]: 'parse',
  [frontend.bind]: 'bind',
  [frontend.describe]: 'describe',
  [frontend.execute]: 'execute',
  [frontend.close]: 'close',
  [frontend.function_call]: 'function_call',
  [frontend.copy_done]: 'copy_end',
  [frontend.copy_fail]: 'copy_end',
  [frontend.sync]: 'sync',
}

const settleStatements = (item: Item): void => {
  for (const changes of item.statements ?? []) for (const change of changes) settle(change, false)
}

/** Puts a message among those that wait for an answer. A server that skips to the next Sync will give none. */
const expectAnswer = (run: Run, item: Item, kind: EntryKind, refusal: NativeError | null): void => {
  const { state, batch } = run
  const { command, change } = item
  if (state.skipping) {
    if (change !== null) settle(change, false)
    settleStatements(item)
    if (command !== null) command.status = 'aborted'
    return
  }
  if (command !== null) command.due++
  state.inFlight.push({
    kind,
    command: item.answered ?? command,
    change,
    described: kind === 'describe' && item.ofStatement ? item.prepared : null,
    asked: kind === 'describe' ? item.prepared : null,
    portal: kind === 'execute' ? item.portal : null,
    hidden: item.hidden,
    refusal,
    batch: batch.number,
    statements: refusal === null ? item.statements : null,
  })
}

/** Gathers ranges: messages that lie side by side in one buffer go on as one piece. */
const openPieces = (run: Run) => {
  let buffer: Buffer | null = null
  let start = 0
  let end = 0
  const flush = (): void => {
    if (buffer === null) return
    const whole = start === 0 && end === buffer.length
    run.batch.pieces.push(whole ? buffer : buffer.subarray(start, end))
    run.batch.bytes += end - start
    buffer = null
  }
  return {
    pass: (item: Item): void => {
      if (buffer === item.buffer && end === item.start) {
        ;({ end } = item)
        return
      }
      flush()
      ;({ buffer, start, end } = item)
    },
    put: (bytes: Buffer): void => {
      flush()
      run.batch.pieces.push(bytes)
      run.batch.bytes += bytes.length
    },
    flush,
  }
}

/** Fills the batch from the run's messages. */
export const emit = (run: Run): void => {
  const pieces = openPieces(run)
  const refused = new Set<Command>()
  for (const item of run.items) {
    if (item.type === frontend.sync) run.state.skipping = false
    if (item.refusal === null) {
      pieces.pass(item)
      const kind = kinds[item.type]
      if (kind !== undefined && !item.ends_copy) expectAnswer(run, item, kind, null)
      continue
    }
    settleStatements(item)
    const { command, change } = item
    const query = item.type === frontend.query
    // Its Query still drops the unnamed statement; what else it would have changed does not happen.
    if (change !== null && !query) settle(change, false)
    if (command === null || refused.has(command)) continue
    refused.add(command)
    const simple = query || item.type === frontend.function_call
    pieces.put(simple ? failingQuery : executeMessage(run.state.refusedPortal))
    const place = query ? item : { ...item, change: null }
    expectAnswer(run, place, simple ? 'query' : 'execute', item.refusal)
  }
  pieces.flush()
  run.items = []
}
