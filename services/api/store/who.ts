/** Columns and shapes of who is behind a session, the same in every table. */
export const who_columns =
  'actor_kind, actor_issuer, actor_subject, actor_name, pipeline_provider, pipeline_repository, pipeline_ref, pipeline_sha, pipeline_workflow, pipeline_run, pipeline_attempt, pipeline_job, pipeline_environment, pipeline_user'

export type WhoRow = {
  readonly actor_kind: string
  readonly actor_issuer: string
  readonly actor_subject: string
  readonly actor_name: string
  readonly pipeline_provider: string
  readonly pipeline_repository: string
  readonly pipeline_ref: string
  readonly pipeline_sha: string
  readonly pipeline_workflow: string
  readonly pipeline_run: string
  readonly pipeline_attempt: string
  readonly pipeline_job: string
  readonly pipeline_environment: string
  readonly pipeline_user: string
}

export type Actor = {
  readonly kind: string
  readonly issuer: string
  readonly subject: string
  readonly display_name: string
}

export type Pipeline = {
  readonly provider: string
  readonly repository: string
  readonly ref: string
  readonly sha: string
  readonly workflow: string
  readonly run: string
  readonly run_attempt: string
  readonly job: string
  readonly environment: string
  readonly triggering_user: string
}

export const actorOf = (row: WhoRow): Actor => ({
  kind: row.actor_kind,
  issuer: row.actor_issuer,
  subject: row.actor_subject,
  display_name: row.actor_name,
})

/** Null for people and other workloads: only a CI run has a provider. */
export const pipelineOf = (row: WhoRow): Pipeline | null =>
  row.pipeline_provider === ''
    ? null
    : {
        provider: row.pipeline_provider,
        repository: row.pipeline_repository,
        ref: row.pipeline_ref,
        sha: row.pipeline_sha,
        workflow: row.pipeline_workflow,
        run: row.pipeline_run,
        run_attempt: row.pipeline_attempt,
        job: row.pipeline_job,
        environment: row.pipeline_environment,
        triggering_user: row.pipeline_user,
      }
