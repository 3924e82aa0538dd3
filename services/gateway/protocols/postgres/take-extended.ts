import { isAscii } from 'node:buffer'
import { addItem, recordCommand, type Item, type Run } from './batch.ts'
import { readParameters } from './bound-parameters.ts'
import { sqlstate } from './errors.ts'
import type { Frame } from './frontend-frames.ts'
import { readBind, readExecute, readNamed, readParse } from './frontend-messages.ts'
import { describePortalMessage } from './frontend-writes.ts'
import type { PendingChange } from './in-flight.ts'
import { commandMask, declareCursors } from './masking/command-mask.ts'
import { no_masks } from './masking/mask-counts.ts'
import { nativeNames, provenOnly, recordBind, recordPrepare } from './loose.ts'
import { isCertain, type Portal, type Prepared } from './prepared.ts'
import type { Refusal } from './receive.ts'
import { nameChanges } from './sql-names.ts'
import { unknownStatement } from './statement.ts'
import {
  encodingInDoubt,
  maskRefusal,
  no_parameters,
  readText,
  refusal,
  violation,
  type Taken,
} from './take-query.ts'
import { frontend } from './wire.ts'

/**
 * First step of the intake for the extended protocol: Parse, Bind, Describe, Execute, Close. An Execute makes one command of
 * itself and the messages that led to it; each further Execute of the same portal is a command of its own.
 */

const shown = (name: string): string => Buffer.from(name, 'latin1').toString('utf8')

const tooMany = (what: string, max: number): Refusal =>
  refusal('names_max', sqlstate.program_limit_exceeded, `too many ${what} (${max})`)

const unknownName = (name: string): Refusal =>
  refusal(
    'unknown_statement',
    sqlstate.unknown_statement,
    name === ''
      ? 'unnamed prepared statement does not exist'
      : `prepared statement "${shown(name)}" does not exist`,
  )

const unknownPortal = (name: string): Refusal =>
  refusal('unknown_portal', sqlstate.unknown_portal, `portal "${shown(name)}" does not exist`)

/** Types from here on were made by somebody: reading a value of one calls a function of theirs. */
const first_own_oid = 16_384

export const takeParse = (run: Run, frame: Frame): Taken => {
  const { state, options } = run
  const message = readParse(frame)
  if (message === null) return violation('malformed Parse')
  const text = readText(run, frame, message.text)
  if (text === 'wait') return 'wait'
  const { name, oids } = message
  const ownType = oids.some((oid) => oid >>> 0 >= first_own_oid)
  const statement = ownType ? { ...text.statement, pure_read: false } : text.statement
  const prepared: Prepared = { name, statement, oids, shape: null, age: state.disturbances }
  const table = state.statements
  const full = name !== '' && table.size >= options.statements_max
  const refused =
    text.refusal ?? (full ? tooMany('prepared statements', options.statements_max) : null)
  const change: PendingChange = { table, change: table.change(name, prepared, state.segment) }
  const item = addItem(run, frame, { change, prepared, name })
  state.unsynced = true
  if (refused === null) run.loose.push(item)
  else recordPrepare(run, [item], prepared, refused)
  return 'taken'
}

/** Gives a prepared statement the meaning its names have now. False: it has to wait for that. */
const readAgain = ({ state, options, items }: Run, prepared: Prepared): boolean => {
  const { statement } = prepared
  const due = state.inFlight.length > 0 || items.some(({ command }) => command !== null)
  if (state.naming.waits(statement.unmasked ?? statement.text, due)) return false
  prepared.statement = options.statements.again(statement, state.naming.current())
  return true
}

export const takeBind = (run: Run, frame: Frame): Taken => {
  const { state, options } = run
  const message = readBind(frame)
  if (message === null) return violation('malformed Bind')
  const found = state.statements.lookup(message.statement, state.segment)
  if (!found.found && found.doubt) return 'wait'
  if (!isAscii(frame.buffer.subarray(frame.body, frame.end)) && encodingInDoubt(run)) return 'wait'
  // The server plans it anew where names have changed.
  if (found.found && !readAgain(run, found.value)) return 'wait'
  const prepared: Prepared = found.found
    ? found.value
    : {
        name: message.statement,
        statement: unknownStatement('prepared statement does not exist'),
        oids: [],
        shape: null,
        age: state.disturbances,
      }
  const { parameters, secrets, masked } = readParameters(
    frame.buffer,
    message.parameters,
    prepared.oids,
    state.encoding.read,
    options.parameters_bytes_max,
    prepared.statement.secret_parameters,
    options.masks?.values(prepared.statement, state.naming.current()) ?? null,
  )
  const name = message.portal
  const portal: Portal = {
    name,
    prepared,
    statement: prepared.statement,
    parameters,
    masked,
    formats: message.formats,
    secrets,
    proven: isCertain(state, state.statements, prepared),
    age: state.disturbances,
    search_path: state.naming.current().search_path,
  }
  const table = state.portals
  const full = name !== '' && table.size >= options.portals_max
  const change: PendingChange = { table, change: table.change(name, portal, state.segment) }
  const item = addItem(run, frame, { change, prepared, portal, name })
  state.unsynced = true
  if (!found.found) recordBind(run, [item], portal, unknownName(message.statement))
  else if (full) recordBind(run, [item], portal, tooMany('portals', options.portals_max))
  else run.loose.push(item)
  return 'taken'
}

/** Takes the loose messages that led to this portal, in their order: its Parse, Bind and Describes, and any Close. */
const takeMembers = (run: Run, portal: Portal): Item[] => {
  const members: Item[] = []
  const rest: Item[] = []
  for (const item of run.loose) {
    const belongs =
      item.portal === portal ||
      (item.portal === null && item.prepared === portal.prepared) ||
      item.type === frontend.close
    ;(belongs ? members : rest).push(item)
  }
  run.loose = rest
  return members
}

/** Statements whose result a server never lets change; that of a FETCH, an EXECUTE or a SHOW is what they name when they run. */
const described_once = new Set(['select', 'insert', 'update', 'delete', 'merge'])

/**
 * What is masked in rows depends on their description. Where the client has not asked for one, and does not do so on the way, the gateway asks
 * before the Execute.
 */
const describeFirst = (
  run: Run,
  frame: Frame,
  portal: Portal | null,
  members: readonly Item[],
): Item | null => {
  const { state, options } = run
  if (options.masks === null || portal === null) return null
  const { prepared } = portal
  const certain =
    described_once.has(prepared.statement.verb) && isCertain(state, state.statements, prepared)
  const asks = members.some(({ type }) => type === frontend.describe)
  if (asks || (prepared.shape !== null && certain)) return null
  const buffer = describePortalMessage(Buffer.from(portal.name, 'latin1'))
  const own = { ...frame, type: frontend.describe, buffer, start: 0, end: buffer.length }
  return addItem(run, own, { prepared, portal, name: portal.name, hidden: true })
}

export const takeExecute = (run: Run, frame: Frame): Taken => {
  const { state } = run
  const message = readExecute(frame)
  if (message === null) return violation('malformed Execute')
  const found = state.portals.lookup(message.portal, state.segment)
  if (!found.found && found.doubt) return 'wait'
  const portal = found.found ? found.value : null
  const statement =
    portal === null
      ? unknownStatement('portal does not exist')
      : provenOnly(portal.statement, portal.proven && isCertain(state, state.portals, portal))
  const { unmasked } = statement
  const due = state.inFlight.length > 0 || run.items.length > 0
  const columns = run.options.masks?.columns ?? null
  if (columns !== null && unmasked !== null && state.naming.waits(unmasked, due)) return 'wait'
  const mask = commandMask(run.options.masks, state, statement, portal)
  if (mask === 'wait') return 'wait'
  const resolved = nameChanges(run, statement)
  if (resolved === 'doubt') return 'wait'
  const members = portal === null ? [] : takeMembers(run, portal)
  const hidden = describeFirst(run, frame, portal, members)
  const item = addItem(run, frame, {
    statements: declareCursors(columns, state, mask, resolved.changes),
    portal,
    name: message.portal,
  })
  members.push(item)
  state.unsynced = true
  state.inputOwner = recordCommand(
    run,
    {
      kind: 'execute',
      statement: resolved.statement,
      parameters: portal?.parameters ?? no_parameters,
      secrets: portal?.secrets ?? no_parameters,
      masked: portal?.masked ?? no_masks,
      native: nativeNames(members),
      statement_name: resolved.name === '' ? (portal?.prepared.name ?? '') : resolved.name,
      portal_name: message.portal,
      row_limit: Math.max(0, message.row_limit),
      mask,
      refusal: portal === null ? unknownPortal(message.portal) : maskRefusal(mask),
    },
    hidden === null ? members : [hidden, ...members],
  )
  return 'taken'
}

export const takeDescribe = (run: Run, frame: Frame): Taken => {
  const { state } = run
  const message = readNamed(frame)
  if (message === null) return violation('malformed Describe')
  const { name, statement: ofStatement } = message
  if (ofStatement) {
    const found = state.statements.lookup(name, state.segment)
    if (!found.found && found.doubt) return 'wait'
    const prepared = found.found ? found.value : null
    run.loose.push(addItem(run, frame, { ofStatement, name, prepared }))
  } else {
    const found = state.portals.lookup(name, state.segment)
    if (!found.found && found.doubt) return 'wait'
    const portal = found.found ? found.value : null
    run.loose.push(addItem(run, frame, { name, portal, prepared: portal?.prepared ?? null }))
  }
  state.unsynced = true
  return 'taken'
}

export const takeClose = (run: Run, frame: Frame): Taken => {
  const { state } = run
  const message = readNamed(frame)
  if (message === null) return violation('malformed Close')
  const { name, statement: ofStatement } = message
  const change: PendingChange = ofStatement
    ? { table: state.statements, change: state.statements.change(name, null, state.segment) }
    : { table: state.portals, change: state.portals.change(name, null, state.segment) }
  state.unsynced = true
  run.loose.push(addItem(run, frame, { change, ofStatement, name }))
  return 'taken'
}
