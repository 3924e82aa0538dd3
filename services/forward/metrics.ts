import { counter, gauge } from '#lib/metrics.ts'

/** Counters of one sink. */
export type SinkMetrics = {
  readonly delivered: () => void
  readonly sent: (messages: number) => void
  readonly resent: (messages: number) => void
  readonly connected: (yes: boolean) => void
  readonly lost: (reason: LossReason) => void
  readonly cut: () => void
  readonly raw: () => void
  readonly window: (messages: number) => void
}

/** Why a connection was lost or could not be made. */
export type LossReason = 'refused' | 'closed' | 'no_proof'

/**
 * Opens the counters of a sink, labelled with its name (names come from the configuration: a fixed
 * set).
 */
export const openSinkMetrics = (sink: string): SinkMetrics => {
  const labels = ['sink'] as const
  const count = (name: string, help: string) =>
    counter({ name: `forward_${name}_total`, help, labels })
  const delivered = count(
    'delivered',
    'Events that count as delivered; their position is committed.',
  )
  const sent = count('sent', 'Messages written to the receiver, those sent again included.')
  const resent = count(
    'resent',
    'Messages sent again after a lost connection; the receiver drops them by their id.',
  )
  const cut = count('cut', 'Events cut to the largest message.')
  const raw = count('raw', 'Events passed on raw because their code or schema is unknown.')
  const lost = counter({
    name: 'forward_connections_lost_total',
    help: 'Connections that were lost or could not be made.',
    labels: ['sink', 'reason'],
  })
  const connected = gauge({
    name: 'forward_connected',
    help: '1 while connected to the receiver.',
    labels,
  })
  const window = gauge({
    name: 'forward_window_events',
    help: 'Messages in the resend window.',
    labels,
  })
  return {
    delivered: () => delivered.inc({ sink }),
    sent: (messages) => sent.inc({ sink }, messages),
    resent: (messages) => resent.inc({ sink }, messages),
    connected: (yes) => connected.set({ sink }, yes ? 1 : 0),
    lost: (reason) => lost.inc({ sink, reason }),
    cut: () => cut.inc({ sink }),
    raw: () => raw.inc({ sink }),
    window: (messages) => window.set({ sink }, messages),
  }
}
