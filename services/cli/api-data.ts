/** What the HTTP API answers (GET /v1/openapi.json), as far as the commands read it. Every text in it is untrusted. */

export type ApiActor = {
  readonly kind: string
  readonly issuer: string
  readonly subject: string
  readonly display_name: string
}

export type ApiPipeline = {
  readonly provider: string
  readonly repository: string
  readonly ref: string
  readonly workflow: string
  readonly run: string
  readonly triggering_user: string
}

export type ApiSession = {
  readonly id: string
  readonly state: string
  readonly started_at: string
  readonly ended_at: string | null
  readonly target: string
  readonly database: string
  readonly role: string
  readonly actor: ApiActor
  readonly pipeline: ApiPipeline | null
  readonly peer: { readonly address: string; readonly client_software: string }
  readonly gateway: string
  readonly commands: number
  readonly refused: number
  readonly end_reason: string | null
}

export type ApiCommand = {
  readonly session: string
  readonly command: number
  readonly at: string
  readonly target: string
  readonly actor: ApiActor
  readonly pipeline: ApiPipeline | null
  readonly verb: string
  readonly text: string
  readonly outcome: string | null
  readonly status: string | null
  readonly rows: number | null
  readonly duration_us: number | null
  readonly error_code: string | null
}

/** A record of a session, decoded; `event` holds the body's fields, bytes in base64. */
export type ApiRecord = {
  readonly sseq: number
  readonly type: string
  readonly code: string
  readonly time_us: number
  readonly event: Readonly<Record<string, unknown>>
  /** Why the record could not be read; null if it could. */
  readonly problem: string | null
}

export type ApiRecordPage = {
  readonly session: string
  readonly items: readonly ApiRecord[]
  /** The `after` of the next page; null when these are all records so far. */
  readonly next: number | null
  /** The session is over, and no record is missing behind these. */
  readonly ended: boolean
}

/** An approval as the API shows it. */
export type ApiApproval = {
  readonly id: string
  readonly state: string
  readonly requested_at: string
  readonly expires_at: string
  readonly session: string
  readonly command: number
  readonly command_hash: string
  readonly text: string
  readonly reason: string
  readonly rules: readonly string[]
  readonly groups: readonly string[]
  readonly quorum: number
  readonly approved_by: readonly { readonly issuer: string; readonly subject: string }[]
  readonly denied_by: { readonly issuer: string; readonly subject: string } | null
  readonly denial: string
  readonly estimated_rows: number
  readonly target: string
  readonly database: string
  readonly role: string
  readonly actor: ApiActor | null
  readonly pipeline: ApiPipeline | null
  readonly rejections: readonly {
    readonly reason: string
    readonly detail: string
    readonly subject: string
  }[]
}

/** How many hex digits of a session id are shown: enough to be unambiguous, and the API takes a beginning. */
export const short_id_digits = 12

export const shortId = (id: string): string => id.slice(0, short_id_digits)

/** Who, in as few words as tell people and jobs apart. */
export const actorText = (actor: ApiActor): string => actor.display_name || actor.subject

/** The file's name of a workflow that is given as a path with its ref (GitHub); others as they are. */
const workflowName = (workflow: string): string => {
  const path = workflow.split('@')[0] ?? workflow
  return path.includes('/') ? path.slice(path.lastIndexOf('/') + 1) : workflow
}

/** Repository, workflow and run of a pipeline; empty without one. */
export const runText = (pipeline: ApiPipeline | null): string =>
  pipeline === null
    ? ''
    : [
        pipeline.repository,
        workflowName(pipeline.workflow),
        pipeline.run === '' ? '' : `#${pipeline.run}`,
      ]
        .filter((part) => part !== '')
        .join(' ')
