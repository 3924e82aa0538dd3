import { effectOn } from '#core/sql/analysis.ts'
import { addItem, recordCommand, type Run } from './batch.ts'
import { readParameters } from './bound-parameters.ts'
import { sqlstate } from './errors.ts'
import type { Frame, FrameError } from './frontend-frames.ts'
import { readFunctionCall, readOnlyString, type Span } from './frontend-messages.ts'
import type { Refusal } from './receive.ts'
import { commandMask, declareCursors, type CommandMask } from './masking/command-mask.ts'
import { nameChanges } from './sql-names.ts'
import { unknownStatement, type StatementText } from './statement.ts'
import { recordLoose } from './loose.ts'

/** First step of the intake for messages that stand alone: Query and FunctionCall, and the texts of all. */

/** `wait`: the message's meaning depends on answers that are due, or a command before it waits for people; take it again then. */
export type Taken = 'taken' | 'wait' | FrameError

export const violation = (what: string): FrameError => ({ violation: what, too_large: false })

export const refusal = (reason: string, code: string, message: string): Refusal => ({
  reason,
  native: { severity: 'ERROR', code, message },
})

/** A command that column rules cannot let through. */
export const maskRefusal = (mask: CommandMask | null): Refusal | null => {
  const refused = mask?.refusal ?? null
  if (refused === null) return null
  const reason = refused.rule === 'builtin:masked-write' ? 'masked_write' : 'mask_unresolved'
  return {
    reason,
    rules: [refused.rule],
    native: {
      severity: 'ERROR',
      code: sqlstate.insufficient_privilege,
      message: 'command refused by masking',
      detail: refused.words,
      hint: 'Select columns that are not masked, or ask for a session that may see them.',
    },
  }
}

export const no_parameters: readonly never[] = []
const query_native = ['Query'] as const
const function_native = ['FunctionCall'] as const

/** Whether a command under way, sent or about to be, does what is asked about. */
const isUnderWay = (
  { state, items }: Run,
  asked: (statement: StatementText | null) => boolean,
): boolean => {
  for (let i = 0; i < state.inFlight.length; i++) {
    const command = state.inFlight.at(i)?.command ?? null
    if (command !== null && asked(command.statement)) return true
  }
  return items.some(({ command }) => command !== null && asked(command.statement))
}

/** Whether something under way may change how the next text is read: encoding, or what a backslash means. */
const settingsInDoubt = (run: Run): boolean =>
  isUnderWay(run, (statement) => statement?.pure_read !== true)

const back = new Set(['rollback', 'rollback_to'])

/**
 * Whether something under way says that the encoding changes. Less strict than for texts, whose meaning is at stake: here it is how a
 * bound value reads in the record, and drivers send values after writes all the time.
 */
export const encodingInDoubt = (run: Run): boolean =>
  isUnderWay(
    run,
    (statement) =>
      statement === null ||
      statement.unsettling ||
      (statement.analysis.ok && statement.analysis.sets.length > 0) ||
      statement.statements.some(({ verb }) => back.has(verb)),
  )

type Text = { readonly statement: StatementText; readonly refusal: Refusal | null }

/** Reads a statement's text in the client's encoding. */
export const readText = (run: Run, frame: Frame, span: Span): Text | 'wait' => {
  const { state, options } = run
  const bytes = frame.buffer.subarray(span.start, span.end)
  const text = state.encoding.read(frame.buffer, span.start, span.end)
  if (state.naming.waits(text, state.inFlight.length > 0 || run.items.length > 0)) return 'wait'
  const statement = options.statements.read(
    text,
    bytes,
    state.plainBackslashes,
    state.naming.current(),
    options.masks,
  )
  if (statement.analysis.ok && statement.analysis.unresolved) state.naming.missed()
  if (!statement.delicate) return { statement, refusal: null }
  if (settingsInDoubt(run)) return 'wait'
  if (!state.encoding.valid(bytes))
    return {
      statement: { ...statement, pure_read: false },
      refusal: refusal(
        'bad_encoding',
        sqlstate.bad_encoding,
        `invalid byte sequence for encoding "${state.encoding.name}"`,
      ),
    }
  return {
    statement,
    refusal: state.plainBackslashes
      ? null
      : refusal('ambiguous_text', sqlstate.feature_not_supported, statement.parse_error),
  }
}

/** After a Query, FunctionCall or Sync an error no longer skips what follows. */
export const border = ({ state }: Run): void => {
  state.segment++
  state.unsynced = false
}

export const takeQuery = (run: Run, frame: Frame): Taken => {
  const { state } = run
  const span = readOnlyString(frame)
  if (span === null) return violation('malformed Query')
  const text = readText(run, frame, span)
  if (text === 'wait') return 'wait'
  recordLoose(run)
  if (run.holding !== null) return 'wait'
  const columns = run.options.masks?.columns ?? null
  const mask = commandMask(run.options.masks, state, text.statement)
  if (mask === 'wait') return 'wait'
  const resolved = nameChanges(run, text.statement)
  if (resolved === 'doubt') return 'wait'
  const table = state.statements
  const item = addItem(run, frame, {
    // A simple query drops the unnamed statement before anything else.
    change: { table, change: table.change('', null, state.segment) },
    statements: declareCursors(columns, state, mask, resolved.changes),
  })
  state.inputOwner = recordCommand(
    run,
    {
      kind: 'query',
      statement: resolved.statement,
      parameters: no_parameters,
      native: query_native,
      statement_name: resolved.name,
      portal_name: '',
      row_limit: 0,
      mask,
      refusal: text.refusal ?? maskRefusal(mask),
    },
    [item],
  )
  border(run)
  return 'taken'
}

/** The fast-path call of a function by its OID: read and decided like any command. No policy can allow it yet. */
export const takeFunctionCall = (run: Run, frame: Frame): Taken => {
  const message = readFunctionCall(frame)
  if (message === null) return violation('malformed FunctionCall')
  const { options, state } = run
  recordLoose(run)
  if (run.holding !== null) return 'wait'
  const verb = 'function_call'
  const effects = [effectOn(`call:${message.oid >>> 0}`)]
  recordCommand(
    run,
    {
      kind: 'function_call',
      statement: {
        ...unknownStatement(''),
        unsettling: false,
        verb,
        statements: [{ verb, offset: 0, length: 0, effects }],
      },
      parameters: readParameters(
        frame.buffer,
        message.parameters,
        no_parameters,
        state.encoding.read,
        options.parameters_bytes_max,
        false,
        options.masks?.values(unknownStatement(''), state.naming.current()) ?? null,
      ).parameters,
      native: function_native,
      statement_name: '',
      portal_name: '',
      row_limit: 0,
      refusal: refusal(
        'function_call_refused',
        sqlstate.insufficient_privilege,
        'function calls by the fast-path interface are not allowed: use SELECT',
      ),
    },
    [addItem(run, frame, null)],
  )
  border(run)
  return 'taken'
}
