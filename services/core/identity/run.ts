import type { Actor, Pipeline } from '#core/events/types.ts'

/**
 * Names one attempt of one run of a CI system, the same for every token of it: issuer, repository, run and attempt as a JSON list. Empty
 * where there is no run behind an identity.
 */
export const runOf = (
  actor: Pick<Actor, 'issuer'> | null,
  pipeline: Pick<Pipeline, 'repository' | 'run' | 'run_attempt'> | null,
): string =>
  actor === null || pipeline === null || pipeline.run === ''
    ? ''
    : JSON.stringify([actor.issuer, pipeline.repository, pipeline.run, pipeline.run_attempt])
