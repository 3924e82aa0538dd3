import { actorText, runText, shortId, type ApiSession } from '../api-data.ts'
import { defineCommand } from '../command.ts'
import { api_options, openConnection } from '../connection.ts'
import { listing_options, runListing, timeOption } from '../listing.ts'
import { clock } from '../terminal/time.ts'

export const sessions = defineCommand({
  name: 'sessions',
  summary: 'list sessions: who came, from which run, to which target',
  positionals: [],
  description:
    'Lists sessions, the newest first. Filters are exact; the id can be shortened to its first digits.',
  options: {
    target: { type: 'string', value: 'NAME', doc: 'sessions to this target' },
    role: { type: 'string', value: 'NAME', doc: 'sessions in this role' },
    actor: { type: 'string', value: 'SUBJECT', doc: 'sessions of this subject or display name' },
    repository: { type: 'string', value: 'NAME', doc: 'sessions of runs of this repository' },
    run: { type: 'string', value: 'ID', doc: 'sessions of this run' },
    state: { type: 'string', value: 'STATE', doc: 'open or ended' },
    ...listing_options,
    ...api_options,
  },
  examples: [
    ['cairn sessions --since 2h', 'sessions of the last two hours'],
    ['cairn sessions --repository acme/shop --state open', 'what that repository does right now'],
    ['cairn sessions --json | jq -r .id', 'whole ids, for another program'],
  ],
  run: async ({ values, env, cwd, out, now_ms, signal }) => {
    const connection = await openConnection({ ...values, env, cwd })
    return runListing<ApiSession>(
      connection,
      {
        path: '/v1/sessions',
        query: {
          target: values.target,
          role: values.role,
          actor: values.actor,
          repository: values.repository,
          run: values.run,
          state: values.state,
          since: timeOption('since', values.since, now_ms()),
          until: timeOption('until', values.until, now_ms()),
        },
        columns: [
          { title: 'SESSION', width_min: 12 },
          { title: 'STARTED', width_min: 20 },
          { title: 'STATE', width_min: 5 },
          { title: 'WHO', width_min: 8 },
          { title: 'RUN', width_min: 8 },
          { title: 'TARGET', width_min: 8 },
          { title: 'ROLE', width_min: 6 },
          { title: 'CMDS', number: true },
          { title: 'REFUSED', number: true },
        ],
        row: (session) => [
          shortId(session.id),
          clock(session.started_at),
          session.state,
          actorText(session.actor),
          runText(session.pipeline),
          session.database === '' ? session.target : `${session.target}/${session.database}`,
          session.role,
          String(session.commands),
          String(session.refused),
        ],
        nothing: 'No sessions. Connect through the gateway, or widen the filters.',
        limit: values.limit,
        json: values.json,
      },
      out,
      signal,
    )
  },
})
