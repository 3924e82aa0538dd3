import { actorText, shortId, type ApiCommand } from '../api-data.ts'
import { defineCommand } from '../command.ts'
import { api_options, openConnection } from '../connection.ts'
import { listing_options, runListing, timeOption } from '../listing.ts'
import { clock, duration } from '../terminal/time.ts'

/** How a command ended, in one word. */
const ending = ({ outcome, status, error_code }: ApiCommand): string => {
  if (status === null) return outcome === null ? 'received' : 'running'
  return error_code === null || error_code === '' ? status : `${status} ${error_code}`
}

export const commandsCommand = defineCommand({
  name: 'commands',
  summary: 'search the commands of all sessions',
  positionals: [],
  description:
    'Lists commands, the newest first, with what the policy said and how they ended. Reading commands is itself recorded.',
  options: {
    query: {
      type: 'string',
      short: 'q',
      value: 'TEXT',
      doc: 'commands whose text holds this, in any case',
    },
    target: { type: 'string', value: 'NAME', doc: 'commands at this target' },
    actor: { type: 'string', value: 'SUBJECT', doc: 'commands of this subject or display name' },
    repository: { type: 'string', value: 'NAME', doc: 'commands of runs of this repository' },
    verb: { type: 'string', value: 'VERB', doc: 'select, update, ddl.drop, ...' },
    outcome: { type: 'string', value: 'OUTCOME', doc: 'allow, deny, hold or mask' },
    session: {
      type: 'string',
      value: 'ID',
      doc: 'commands of this session (first digits are enough)',
    },
    ...listing_options,
    ...api_options,
  },
  examples: [
    ['cairn commands -q orders', 'every command that mentions orders'],
    ['cairn commands --verb ddl.drop --since 7d', 'what was dropped in the last week'],
    ['cairn commands --outcome deny --json', 'refused commands, for another program'],
  ],
  run: async ({ values, env, cwd, out, now_ms, signal }) => {
    const connection = await openConnection({ ...values, env, cwd })
    return runListing<ApiCommand>(
      connection,
      {
        path: '/v1/commands',
        query: {
          q: values.query,
          target: values.target,
          actor: values.actor,
          repository: values.repository,
          verb: values.verb,
          outcome: values.outcome,
          session: values.session,
          since: timeOption('since', values.since, now_ms()),
          until: timeOption('until', values.until, now_ms()),
        },
        columns: [
          { title: 'TIME', width_min: 20 },
          { title: 'SESSION', width_min: 12 },
          { title: 'WHO', width_min: 8 },
          { title: 'TARGET', width_min: 6 },
          { title: 'DECIDED', width_min: 5 },
          { title: 'ENDED', width_min: 5 },
          { title: 'ROWS', number: true },
          { title: 'TOOK', number: true },
          { title: 'COMMAND', width_min: 16 },
        ],
        row: (command) => [
          clock(command.at),
          shortId(command.session),
          actorText(command.actor),
          command.target,
          command.outcome ?? '',
          ending(command),
          command.rows === null || command.rows < 0 ? '' : String(command.rows),
          command.duration_us === null ? '' : duration(command.duration_us),
          command.text.replaceAll(/\s+/g, ' ').trim(),
        ],
        nothing: 'No commands. Widen the filters, or look at "cairn sessions".',
        limit: values.limit,
        json: values.json,
      },
      out,
      signal,
    )
  },
})
