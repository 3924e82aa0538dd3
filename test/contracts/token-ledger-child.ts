import { randomBytes, randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import { openTokenLedger, type ClaimRequest } from '#lib/identity/token-ledger.ts'
import { openLogRecorder } from '#lib/log/recorder.ts'
import { openPlace, type LogPlace } from './log-open.ts'

/**
 * A gateway's ledger in a process of its own: `token-ledger-child.ts JSON`, one JSON line each way. It tells `ready`, claims every token of
 * an order (all at once), and tells the outcome of each: the claim's id, or the reason of the refusal.
 */
export type LedgerChild = { readonly place: LogPlace; readonly name: string }

export type LedgerOrder = {
  readonly tokens: readonly {
    readonly token: string
    readonly run: string
    readonly uses: number
  }[]
}

const { place, name } = JSON.parse(process.argv[2] ?? '') as LedgerChild
const tell = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`)
const log = await openPlace(place)
const recorder = openLogRecorder({
  log,
  deployment: 'test',
  name,
  epoch: randomBytes(16),
  now_us: () => Date.now() * 1000,
  mono_ns: () => process.hrtime.bigint(),
})
const ledger = openTokenLedger({
  log,
  recorder,
  now_ms: Date.now,
  newId: randomUUID,
  claim_timeout_ms: 30_000,
  onRevoked: ({ kind, run }) => tell({ revoked: { kind, run } }),
  onTrouble: (error) => process.stderr.write(`${error.message}\n`),
})
await ledger.caughtUp
tell({ ready: true })

/** The issuer, repository and attempt of every run here; the context is what other ledgers read the run from. */
const requestOf = ({ token, run, uses }: LedgerOrder['tokens'][number]): ClaimRequest => ({
  token,
  run,
  uses,
  expires_ms: Date.now() + 3_600_000,
  context: {
    actor:
      run === ''
        ? null
        : {
            kind: 'workload',
            issuer: 'https://issuer.example.test',
            subject: 'job',
            display_name: '',
            groups: [],
            credential_fingerprint: '',
            token_id: token,
          },
    pipeline:
      run === ''
        ? null
        : {
            provider: 'github',
            repository: 'acme/shop',
            ref: '',
            sha: '',
            workflow: '',
            run: (JSON.parse(run) as readonly string[])[2] ?? '',
            run_attempt: '1',
            job: '',
            environment: '',
            triggering_user: '',
            runner: '',
            approval_ticket: '',
          },
    peer: null,
    target: null,
  },
})

for await (const line of createInterface({ input: process.stdin })) {
  const { tokens } = JSON.parse(line) as LedgerOrder
  const claims = Promise.all(
    tokens.map(async (each) => {
      const result = await ledger.claim(requestOf(each))
      return {
        token: each.token,
        claim: result.ok ? result.claim : null,
        reason: result.ok ? '' : result.reason,
      }
    }),
  )
  tell({ asked: tokens.length })
  tell({ outcomes: await claims })
}
