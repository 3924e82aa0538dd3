import type { ClaimReader } from '../claim-reader.ts'
import { definePreset } from '../preset.ts'

/**
 * Ref of the code that runs.
 *
 * A pipeline of a merge request from a fork may run inside the parent project. Before GitLab 18.2.2, its token then named
 * the parent as `project_path` and the fork's branch as `ref`, so that the fork's `main` looked like the parent's; since then
 * `project_path` is the fork, and (18.3) `job_project_path` the project it runs in. Where a merge request's pipeline is not proven
 * to be of the project's own code, its ref is `refs/merge-requests/<branch>`, which no rule for a branch matches.
 */
const refOf = (claims: ClaimReader): string => {
  const branch = claims.text('ref')
  const own_project = claims.text('job_project_path') === claims.text('project_path')
  if (claims.text('pipeline_source') === 'merge_request_event' && !own_project) {
    return `refs/merge-requests/${branch}`
  }
  const path = claims.text('ref_path')
  if (path !== '' || branch === '') return path
  return `refs/${claims.text('ref_type') === 'tag' ? 'tags' : 'heads'}/${branch}`
}

/**
 * GitLab CI/CD: the ID token of a job ("OpenID Connect authentication using ID tokens" of GitLab's documentation).
 *
 * `repository` is `project_path`, the project the code comes from. Paths can be given to another project after a rename; a policy
 * that must not follow a path asks for the claim `project_id`.
 */
export const gitlab = definePreset({
  name: 'gitlab',
  actor_kind: 'workload',
  map: (claims) => {
    const repository = claims.need('project_path')
    const runner = claims.text('runner_id')
    return {
      display_name: `${repository} · pipeline ${claims.text('pipeline_id')}`,
      groups: [],
      pipeline: {
        provider: 'gitlab',
        repository,
        ref: refOf(claims),
        sha: claims.text('sha'),
        workflow: claims.text('ci_config_ref_uri'),
        run: claims.need('pipeline_id'),
        run_attempt: '',
        job: claims.text('job_id'),
        environment: claims.text('environment'),
        triggering_user: claims.text('user_login'),
        runner: [claims.text('runner_environment'), runner].filter((part) => part !== '').join(' '),
        approval_ticket: '',
      },
    }
  },
})
