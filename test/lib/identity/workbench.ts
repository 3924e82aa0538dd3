import { Writable } from 'node:stream'
import { pino } from 'pino'
import { createAuthenticator, type Authenticator } from '#lib/identity/authenticator.ts'
import type { ShownAt } from '#core/identity/binding.ts'
import type { TokenVerifier } from '#lib/identity/cairn-token.ts'
import type { Fetch } from '#lib/identity/json-fetch.ts'
import { configSchema, type IssuerConfig } from '#lib/config/schema.ts'

/** An authenticator with a clock that the test moves and a logger whose output can be searched. */
export interface Workbench {
  readonly authenticator: Authenticator
  /** Outcome in one word, or the reason of the refusal. Fails when the token, or its signature, shows up in result or log. */
  outcome(token: string, expectation?: ShownAt): Promise<string>
  /** Moves the clock. */
  advance(seconds: number): void
  now_s(): number
  readonly log: () => string
}

/** Complete issuer entries from what a configuration file would say. */
export const issuerConfigs = (
  entries: readonly Readonly<Record<string, unknown>>[],
): readonly IssuerConfig[] => configSchema.shape.issuers.parse(entries)

export const openWorkbench = (
  entries: readonly Readonly<Record<string, unknown>>[],
  deps: { readonly fetch?: Fetch; readonly cairn?: TokenVerifier } = {},
): Workbench => {
  let offset_ms = 0
  let log = ''
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      log += chunk.toString('utf8')
      done()
    },
  })
  const clock = (): number => Date.now() + offset_ms
  const authenticator = createAuthenticator(issuerConfigs(entries), {
    ...deps,
    clock,
    logger: pino(sink),
  })
  return {
    authenticator,
    outcome: async (token, expectation) => {
      const result = await authenticator.authenticate(token, expectation)
      const shown = JSON.stringify(result) + log
      const signature = token.split('.').at(-1) ?? ''
      for (const secret of [token, signature]) {
        if (secret.length > 20 && shown.includes(secret))
          throw new Error('a token shows in the output')
      }
      return result.ok ? 'ok' : result.reason
    },
    advance: (seconds) => {
      offset_ms += seconds * 1000
    },
    now_s: () => Math.floor(clock() / 1000),
    log: () => log,
  }
}
