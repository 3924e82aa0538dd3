import type { PolicyRule, SessionRequest } from '#core/policy/policy-rule.ts'

/** A policy that allows everything but what is opaque, to everybody, unless `more` says otherwise. */
export const policyRule = (name: string, more: Partial<PolicyRule> = {}): PolicyRule => ({
  name,
  effect: 'allow',
  issuers: ['*'],
  claims: {},
  targets: ['*'],
  roles: ['*'],
  databases: ['*'],
  ...more,
})

/** Monday, 2 March 2026, 10:00 UTC. */
export const now_ms = Date.UTC(2026, 2, 2, 10)

/** A deploy job of acme/shop. */
export const sessionRequest: SessionRequest = {
  issuer: 'github',
  claims: { repository: 'acme/shop', run_attempt: 2 },
  actor: {
    kind: 'workload',
    issuer: 'https://token.actions.githubusercontent.com',
    subject: 'repo:acme/shop:environment:production',
    display_name: 'acme/shop deploy',
    groups: ['dev', 'dba'],
    credential_fingerprint: '',
    token_id: 'one',
  },
  pipeline: {
    provider: 'github',
    repository: 'acme/shop',
    ref: 'refs/heads/main',
    sha: 'abc',
    workflow: 'deploy.yml',
    run: '17',
    run_attempt: '2',
    job: 'migrate',
    environment: 'production',
    triggering_user: 'ada',
    runner: 'hosted',
    approval_ticket: '',
  },
  peer: { address: '10.0.0.1', client_software: 'psql' },
  protocol: 'postgres',
  target: 'orders',
  role: 'migrator',
  database: 'shop',
}
