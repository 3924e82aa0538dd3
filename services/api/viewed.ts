import type { Caller } from './caller.ts'
import type { AuditNote } from './route.ts'

/** Kept of a filter in the trail, characters. */
const query_chars_max = 1024

/** The note that someone read content of the trail. @param filter what was asked for, by name; absent values are left out */
export const viewed = (
  caller: Caller,
  resource: 'session' | 'records' | 'commands' | 'approvals',
  session: string,
  filter: Readonly<Record<string, string | number | undefined>>,
): AuditNote => {
  const given = Object.entries(filter).filter(([, value]) => value !== undefined)
  return {
    type: 'evidence.viewed',
    actor: caller.actor,
    pipeline: caller.pipeline,
    target: null,
    body: {
      viewer_issuer: caller.issuer,
      viewer_subject: caller.subject,
      resource,
      viewed_session: session,
      query: given
        .map(([name, value]) => `${name}=${String(value)}`)
        .join(' ')
        .slice(0, query_chars_max),
    },
  }
}
