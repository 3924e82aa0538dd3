import type { Projection } from '../projection.ts'
import { alertEvents } from './alert-events.ts'
import { approvalEvents } from './approval-events.ts'
import { commandEnded } from './command-ended.ts'
import { commandReceived } from './command-received.ts'
import { decisions } from './decisions.ts'
import { records } from './records.ts'
import { sessionEnded } from './session-ended.ts'
import { sessionRefused } from './session-refused.ts'
import { sessionStarted } from './session-started.ts'
import { tokenEvents } from './token-events.ts'

/**
 * Every table that replay feeds, in the order of insertion: `records` comes last, so that a record that stands there stands in every other
 * table as well.
 */
export const projections: readonly Projection[] = [
  sessionStarted,
  sessionEnded,
  sessionRefused,
  commandReceived,
  decisions,
  commandEnded,
  approvalEvents,
  alertEvents,
  tokenEvents,
  records,
]
