import type { ServiceName } from './registry.ts'

/** Child to supervisor: the service runs, on these ports. */
type Ready = { readonly type: 'ready'; readonly ports: Readonly<Record<string, number>> }
/** Child to supervisor: it cannot start; the message is for a person and carries no secret. */
type Failed = { readonly type: 'failed'; readonly message: string }
/** Child to supervisor: hand `payload` to process `to` of the same service (a cancel request that reached the wrong one). */
type Relay = { readonly type: 'relay'; readonly to: number; readonly payload: unknown }
/** Child to supervisor: metrics of all processes, please. */
type MetricsRequest = { readonly type: 'metrics.collect'; readonly id: number }
/** Child to supervisor: metrics of this process. */
type MetricsAnswer = {
  readonly type: 'metrics.own'
  readonly id: number
  readonly metrics: object[]
}

/** What a service process says to its supervisor. */
export type ChildMessage = Ready | Failed | Relay | MetricsRequest | MetricsAnswer

/** What the supervisor says to a service process. */
export type SupervisorMessage =
  | { readonly type: 'stop'; readonly reason: string }
  | { readonly type: 'relayed'; readonly payload: unknown }
  | { readonly type: 'metrics.give'; readonly id: number }
  | { readonly type: 'metrics.collected'; readonly id: number; readonly text: string }

/** Which process of which service. */
export type ProcessName = { readonly service: ServiceName; readonly index: number }

export const processLabel = ({ service, index }: ProcessName): string =>
  index === 0 ? service : `${service}/${index}`
