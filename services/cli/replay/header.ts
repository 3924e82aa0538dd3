import { actorText, runText, type ApiSession } from '../api-data.ts'
import type { Style } from '../terminal/style.ts'
import { safeLine } from '../terminal/safe-text.ts'
import { clock } from '../terminal/time.ts'

/** Who, from which run, to what: the lines above a replay. */
export const headerLines = (session: ApiSession, style: Style): readonly string[] => {
  const { actor, pipeline, peer } = session
  const line = (name: string, value: string): string =>
    `${style.dim(name.padEnd(8))} ${safeLine(value)}`
  const by =
    pipeline === null || pipeline.triggering_user === '' ? '' : ` by ${pipeline.triggering_user}`
  return [
    line('session', session.id),
    line('who', `${actorText(actor)} (${actor.kind}) ${actor.subject} at ${actor.issuer}`),
    ...(pipeline === null ? [] : [line('run', `${runText(pipeline)} ${pipeline.ref}${by}`)]),
    line(
      'target',
      `${session.target}${session.database === '' ? '' : `/${session.database}`} as ${session.role}`,
    ),
    line(
      'from',
      `${peer.address}${peer.client_software === '' ? '' : ` ${peer.client_software}`}, through ${session.gateway}`,
    ),
    line(
      'started',
      `${clock(session.started_at)}${session.ended_at === null ? ', still open' : ''}`,
    ),
  ]
}
