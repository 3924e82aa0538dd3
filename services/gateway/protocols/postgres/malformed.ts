import { unknown_naming } from '#core/sql/naming.ts'
import { recordCommand, type Run } from './batch.ts'
import { sqlstate } from './errors.ts'
import type { Frame, FrameError } from './frontend-frames.ts'
import { messageNames } from './frontend-messages.ts'
import type { ReceivedCommand } from './receive.ts'
import { unknownStatement, type StatementText } from './statement.ts'
import { no_parameters, refusal } from './take-query.ts'
import { frontend } from './wire.ts'

const kinds: Readonly<Record<number, ReceivedCommand['kind']>> = {
  [frontend.query]: 'query',
  [frontend.parse]: 'prepare',
  [frontend.bind]: 'bind',
  [frontend.execute]: 'execute',
  [frontend.function_call]: 'function_call',
}

/** What was sent, as far as it can be read: a text for a Query, its length for all. */
const readMalformed = (run: Run, frame: Frame, what: string): StatementText => {
  const why = `${what} of ${frame.end - frame.start} bytes`
  if (frame.type !== frontend.query) return unknownStatement(why)
  const bytes = frame.buffer.subarray(frame.body, frame.end)
  const text = run.state.encoding.read(frame.buffer, frame.body, frame.end)
  const readable = text.replaceAll('\0', '\u{fffd}')
  const statement = run.options.statements.read(
    readable,
    bytes,
    false,
    unknown_naming,
    run.options.masks,
  )
  return { ...statement, verb: 'unknown', statements: [], pure_read: false, parse_error: why }
}

/** Records a command whose message does not fit its format, and its refusal, before the session ends for it. */
export const recordMalformed = (run: Run, frame: Frame, error: FrameError): void => {
  const kind = kinds[frame.type]
  if (kind === undefined) return
  recordCommand(
    run,
    {
      kind,
      statement: readMalformed(run, frame, error.violation),
      parameters: no_parameters,
      native: [messageNames[frame.type] ?? ''],
      statement_name: '',
      portal_name: '',
      row_limit: 0,
      refusal: refusal('malformed', sqlstate.protocol_violation, error.violation),
    },
    [],
  )
}
