import { actorText, runText, shortId, type ApiApproval } from '../api-data.ts'
import { showApproval } from '../approval-page.ts'
import { defineCommand } from '../command.ts'
import { api_options, openConnection } from '../connection.ts'
import { listing_options, runListing } from '../listing.ts'
import { safeJson } from '../terminal/safe-text.ts'
import { clock } from '../terminal/time.ts'

const { limit, json } = listing_options

export const approvalsCommand = defineCommand({
  name: 'approvals',
  summary: 'list commands that wait for people, or show one',
  positionals: ['[APPROVAL]'],
  description:
    'Lists approvals, the newest first; or shows one: who asks, from which run, for which command, and what has been decided. The first digits of its id are enough.',
  options: {
    state: {
      type: 'string',
      value: 'STATE',
      doc: 'waiting, approved, denied, expired or consumed',
    },
    target: { type: 'string', value: 'NAME', doc: 'of sessions to this target' },
    limit,
    json,
    ...api_options,
  },
  examples: [
    ['cairn approvals --state waiting', 'what waits now'],
    ['cairn approvals 3f9a2b', 'one of them, whole'],
    ['cairn approve 3f9a2b', 'let it run'],
  ],
  run: async ({ values, positionals, env, cwd, out, signal }) => {
    const connection = await openConnection({ ...values, env, cwd })
    const [id] = positionals
    if (id !== undefined) {
      const approval = await connection.ask<ApiApproval>(
        `/v1/approvals/${encodeURIComponent(id)}`,
        { signal },
      )
      if (values.json) await out.print(safeJson(approval))
      else for (const line of showApproval(approval, out.style)) await out.print(line)
      return 0
    }
    return runListing<ApiApproval>(
      connection,
      {
        path: '/v1/approvals',
        query: { state: values.state, target: values.target },
        columns: [
          { title: 'APPROVAL', width_min: 12 },
          { title: 'REQUESTED', width_min: 20 },
          { title: 'STATE', width_min: 8 },
          { title: 'WHO', width_min: 8 },
          { title: 'RUN', width_min: 8 },
          { title: 'TARGET', width_min: 8 },
          { title: 'GROUPS', width_min: 6 },
          { title: 'YES', width_min: 3 },
          { title: 'COMMAND', width_min: 20 },
        ],
        row: (approval) => [
          shortId(approval.id),
          clock(approval.requested_at),
          approval.state,
          approval.actor === null ? '' : actorText(approval.actor),
          runText(approval.pipeline),
          approval.database === '' ? approval.target : `${approval.target}/${approval.database}`,
          approval.groups.join(','),
          `${approval.approved_by.length}/${approval.quorum}`,
          approval.text,
        ],
        nothing: 'No approvals. A policy with effect hold makes commands wait for people.',
        limit: values.limit,
        json: values.json,
      },
      out,
      signal,
    )
  },
})
