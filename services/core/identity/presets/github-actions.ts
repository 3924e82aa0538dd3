import { definePreset } from '../preset.ts'

/**
 * GitHub Actions: the OIDC token of a job ("OpenID Connect reference" of GitHub's documentation).
 *
 * `workflow` is the workflow's file and ref (`workflow_ref`), not its name: any file may take any name. A reusable workflow is in
 * the claim `job_workflow_ref`, which policies can ask for. The token names no job; `check_run_id`, where there is one, is
 * the job's number.
 */
export const githubActions = definePreset({
  name: 'github-actions',
  actor_kind: 'workload',
  map: (claims) => {
    const repository = claims.need('repository')
    const workflow = claims.text('workflow')
    return {
      display_name: workflow === '' ? repository : `${repository} · ${workflow}`,
      groups: [],
      pipeline: {
        provider: 'github',
        repository,
        ref: claims.text('ref'),
        sha: claims.text('sha'),
        workflow: claims.text('workflow_ref') || workflow,
        run: claims.need('run_id'),
        run_attempt: claims.text('run_attempt'),
        job: claims.text('check_run_id'),
        environment: claims.text('environment'),
        triggering_user: claims.text('actor'),
        runner: claims.text('runner_environment'),
        approval_ticket: '',
      },
    }
  },
})
