import { CairnError } from '#lib/error.ts'
import { shortId, type ApiApproval } from '../api-data.ts'
import { showApproval } from '../approval-page.ts'
import { defineCommand, type Command, type ExitCode, type Output } from '../command.ts'
import { api_options, openConnection, type Connection } from '../connection.ts'
import { safeJson, safeLine } from '../terminal/safe-text.ts'

/** How long the gateway may take to release or refuse the command before it is said that it has not yet. */
const wait_ms = 5_000

/** The answer is no: a person who may not, or too late. */
const refusals: ReadonlySet<string> = new Set(['forbidden', 'conflict', 'identity_refused'])

type Decision = 'approve' | 'deny'

type Answer = { readonly approval: string; readonly missing: number }

const outcome = (
  { state, rejections }: ApiApproval,
  { missing }: Answer,
): { readonly words: string; readonly code: ExitCode } => {
  if (state === 'consumed') return { words: 'approved; its command has been released', code: 0 }
  if (state === 'denied') return { words: 'denied; its command is refused', code: 0 }
  if (state === 'waiting' && missing > 0)
    return { words: `approved; ${missing} more must approve`, code: 0 }
  const last = rejections.at(-1)
  if (state === 'expired') return { words: 'too late: it is over', code: 1 }
  if (last !== undefined)
    return { words: `the gateway did not count it: ${last.reason}: ${last.detail}`, code: 1 }
  return { words: 'recorded; the gateway has not taken it yet', code: 0 }
}

const run = async (
  connection: Connection,
  decision: Decision,
  id: string,
  reason: string,
  print: { readonly out: Output; readonly json: boolean },
  signal: AbortSignal,
): Promise<ExitCode> => {
  const { out, json } = print
  const path = `/v1/approvals/${encodeURIComponent(id)}`
  const shown = await connection.ask<ApiApproval>(path, { signal })
  if (!json) for (const line of showApproval(shown, out.style)) out.say(line)
  let answer: Answer
  try {
    answer = await connection.ask<Answer>(`/v1/approvals/${shown.id}/decision`, {
      method: 'POST',
      // The decision counts for exactly the command that was shown.
      form: { decision, reason, command_hash: shown.command_hash, channel: 'cli' },
      signal,
    })
  } catch (error) {
    if (!(error instanceof CairnError) || !refusals.has(error.code)) throw error
    out.say(`cairn: ${safeLine(error.message)}`)
    return 1
  }
  const wait = answer.missing > 0 ? 0 : wait_ms
  const after = await connection.ask<ApiApproval>(`/v1/approvals/${shown.id}`, {
    query: { wait_ms: wait },
    wait_ms: wait,
    signal,
  })
  const { words, code } = outcome(after, answer)
  if (json) await out.print(safeJson({ ...answer, state: after.state, outcome: words }))
  else await out.print(`${shortId(shown.id)} ${safeLine(words)}`)
  return code
}

const define = (decision: Decision, summary: string, what: string): Command =>
  defineCommand({
    name: decision,
    summary,
    positionals: ['APPROVAL'],
    description: `${what} Needs a token of your own with the role approver: CAIRN_API_TOKEN (an OIDC token). The command is shown, and the decision counts for exactly that one. The first digits of the id are enough.`,
    options: {
      reason: { type: 'string', short: 'm', value: 'WORDS', doc: 'your words, recorded with it' },
      json: { type: 'boolean', doc: 'one JSON object' },
      ...api_options,
    },
    examples: [
      [`cairn ${decision} 3f9a2b -m 'CHG-1042'`, 'decide with words'],
      ['cairn approvals --state waiting', 'what can be decided'],
    ],
    run: async ({ values, positionals, env, cwd, out, signal }) => {
      const connection = await openConnection({ ...values, env, cwd })
      const { reason = '', json } = values
      return run(connection, decision, positionals[0] ?? '', reason, { out, json }, signal)
    },
  })

export const approveCommand = define(
  'approve',
  'approve a command that waits',
  'Approves a command that waits; with enough approvals it runs.',
)

export const denyCommand = define(
  'deny',
  'deny a command that waits',
  'Denies a command that waits: it is refused, and who asked sees your words.',
)
