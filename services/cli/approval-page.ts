import { actorText, runText, type ApiApproval } from './api-data.ts'
import { safeLine, safeLines } from './terminal/safe-text.ts'
import type { Style } from './terminal/style.ts'
import { clock } from './terminal/time.ts'

/** One approval for people: what they have to know to decide, the command last and whole. */

const needed = ({ quorum, groups }: ApiApproval): string =>
  `${quorum} of ${groups.length === 0 ? 'any approvers' : groups.join(', ')}`

const subjects = (people: readonly { readonly subject: string }[]): string =>
  people.map(({ subject }) => subject).join(', ')

export const showApproval = (approval: ApiApproval, style: Style): readonly string[] => {
  const { actor, pipeline } = approval
  const rows: readonly (readonly [string, string])[] = [
    ['approval', approval.id],
    ['state', approval.state],
    [
      'who',
      actor === null
        ? ''
        : `${actorText(actor)} (${actor.kind}) ${actor.subject} at ${actor.issuer}`,
    ],
    ['run', runText(pipeline)],
    ['behind it', pipeline?.triggering_user ?? ''],
    ['target', `${approval.target}/${approval.database} as ${approval.role}`],
    ['held by', `${approval.rules.join(', ')}: ${approval.reason}`],
    ['needs', needed(approval)],
    ['yes', subjects(approval.approved_by)],
    ['no', approval.denied_by === null ? '' : `${approval.denied_by.subject}: ${approval.denial}`],
    ['rows', approval.estimated_rows < 0 ? '' : `about ${approval.estimated_rows} (estimate)`],
    ['until', clock(approval.expires_at)],
    ['session', `${approval.session} #${approval.command}`],
  ]
  return [
    ...rows
      .filter(([, text]) => text !== '')
      .map(([name, text]) => `${style.bold(name.padEnd(9))} ${safeLine(text)}`),
    ...approval.rejections.map(
      ({ reason, detail, subject }) =>
        `${style.bold('rejected'.padEnd(9))} ${safeLine(`${subject}: ${reason}: ${detail}`)}`,
    ),
    '',
    ...safeLines(approval.text).map((line) => `  ${line}`),
  ]
}
