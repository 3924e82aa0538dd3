import type { Config } from '#lib/config/schema.ts'
import type { Logger } from '#lib/logger.ts'
import type { Recorder } from '../recorder/port.ts'
import { sessionContext } from '../session-context.ts'

/** A credential that was ended by another than the gateway whose session it was: that one is dead. */
export type Swept = {
  readonly target: string
  readonly credential: string
  /** Account at the target. */
  readonly principal: string
  readonly reason: string
}

/** Records it, without a session: whose it was is in the record of its issue, under the same account. Nobody waits for it. */
export const recordSwept = (
  recorder: Recorder,
  options: {
    readonly config: Pick<Config, 'deployment'>
    readonly gateway_name: string
    readonly logger: Logger
  },
  { target, credential, principal, reason }: Swept,
): void => {
  const context = sessionContext({
    deployment: options.config.deployment,
    gateway: options.gateway_name,
    identity: null,
    peer: { address: '', port: 0, client_software: '', tls: '', fingerprint: '' },
    target: { name: target, protocol: 'postgres', database: '', role: '' },
  })
  try {
    recorder.append(
      'credential.revoked',
      { ...context, peer: null },
      { credential, principal, reason },
    )
    recorder.durable().catch(() => undefined)
  } catch (error) {
    options.logger.warn({ err: error, principal }, 'the end of a credential could not be recorded')
  }
}
