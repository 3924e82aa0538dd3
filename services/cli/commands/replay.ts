import { CairnError } from '#lib/error.ts'
import type { ApiRecord, ApiRecordPage, ApiSession } from '../api-data.ts'
import { defineCommand, wholeNumber, type Output } from '../command.ts'
import { api_options, openConnection, type Connection } from '../connection.ts'
import { headerLines } from '../replay/header.ts'
import { pace, type Pause } from '../replay/pace.ts'
import { openReplayView } from '../replay/view.ts'
import { safeJson } from '../terminal/safe-text.ts'

/** Records asked for at a time. */
const page_records_max = 500
/** How long the API may hold a follower's question, milliseconds: it answers as soon as there is something. */
const wait_ms = 20_000
const rows_default = 20
const rows_limit = 1_000_000

type Reading = {
  readonly connection: Connection
  readonly id: string
  readonly follow: boolean
  readonly show: (record: ApiRecord) => Promise<void>
  readonly signal: AbortSignal
}

/** Reads the records of a session in order. Resolves with true when the session is over. */
const readRecords = async ({ connection, id, follow, show, signal }: Reading): Promise<boolean> => {
  let after = -1
  for (;;) {
    const page = await connection.ask<ApiRecordPage>(`/v1/sessions/${id}/records`, {
      query: { after, limit: page_records_max, ...(follow ? { wait_ms } : {}) },
      ...(follow ? { wait_ms } : {}),
      signal,
    })
    for (const record of page.items) {
      await show(record)
      after = record.sseq
    }
    if (page.ended) return true
    if (page.next === null && !follow) return false
  }
}

const printer = (out: Output, rows_max: number): ((record: ApiRecord) => Promise<void>) => {
  const view = openReplayView({
    style: out.style,
    columns: out.columns,
    rows_max,
  })
  return async (record) => {
    for (const line of view.add(record)) await out.print(line)
  }
}

const pauseOf = (speed: string | undefined, no_timing: boolean): Pause => {
  if (speed === undefined || no_timing) return pace(Number.POSITIVE_INFINITY)
  const factor = Number(speed)
  if (!(factor > 0 && factor <= 1000))
    throw new CairnError('unusable_input', '--speed takes a number above 0, up to 1000')
  return pace(factor)
}

export const replayCommand = defineCommand({
  name: 'replay',
  summary: 'replay a session: commands, decisions, results',
  positionals: ['SESSION'],
  description: [
    'Shows a session as it was: who and from which run, each command with its time, what the policy said, parameters, result',
    'rows, errors, sizes of COPY. SESSION is an id or its first digits. Nothing of the session can act on your terminal: control',
    'characters are written out. Reading a session is itself recorded.',
  ].join('\n'),
  options: {
    follow: { type: 'boolean', short: 'f', doc: 'go on while the session runs' },
    speed: {
      type: 'string',
      value: 'N',
      doc: 'keep the pauses, N times faster (1: as it was; at most 5 s each)',
    },
    'no-timing': { type: 'boolean', doc: 'no pauses (the default)' },
    rows: {
      type: 'string',
      value: 'N',
      doc: `rows shown of each result (default ${rows_default})`,
    },
    json: { type: 'boolean', doc: 'one JSON object a record, bytes in base64' },
    ...api_options,
  },
  examples: [
    ['cairn replay 3f9a2b', 'the session whose id begins so'],
    ['cairn replay 3f9a2b --follow', 'watch one that runs'],
    ['cairn replay 3f9a2b --speed 4 --rows 5', 'with its pauses, four times faster'],
  ],
  run: async ({ values, positionals, env, cwd, out, signal }) => {
    const wanted = positionals[0] ?? ''
    if (!/^[0-9a-f]{4,64}$/i.test(wanted))
      throw new CairnError(
        'unusable_input',
        `"${wanted}" is no session id: 4 to 64 hex digits; "cairn sessions" lists them`,
      )
    const rows_max = values.rows === undefined ? rows_default : wholeNumber(values.rows, rows_limit)
    if (rows_max === undefined)
      throw new CairnError('unusable_input', `--rows takes a whole number, 1 to ${rows_limit}`)
    const pause = pauseOf(values.speed, values['no-timing'])
    const connection = await openConnection({ ...values, env, cwd })
    const session = await connection.ask<ApiSession>(`/v1/sessions/${wanted.toLowerCase()}`, {
      signal,
    })
    if (!values.json) for (const line of headerLines(session, out.style)) await out.print(line)
    const print = values.json
      ? (record: ApiRecord) => out.print(safeJson(record))
      : printer(out, rows_max)
    const over = await readRecords({
      connection,
      id: session.id,
      follow: values.follow,
      show: async (record) => {
        await pause(record.time_us, signal)
        await print(record)
      },
      signal,
    })
    if (!over) out.say('The session is still open; --follow goes on with it.')
    return 0
  },
})
