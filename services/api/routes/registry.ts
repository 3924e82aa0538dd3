import type { ApiDeps } from '../deps.ts'
import type { Route } from '../route.ts'
import { approvalCallback, decideApproval } from './approval-decisions.ts'
import { approvalById, approvals } from './approvals.ts'
import { commands } from './commands.ts'
import { healthz, metrics, readyz } from './health.ts'
import { openApiRoute } from './openapi.ts'
import { schemaById, subjects, subjectVersion, subjectVersions } from './schemas.ts'
import { endRun } from './runs.ts'
import { endSession, sessionById, sessionRecords, sessions } from './sessions.ts'
import { exchange } from './tokens.ts'

const described: readonly Route<ApiDeps>[] = [
  healthz,
  readyz,
  metrics,
  exchange,
  endRun,
  sessions,
  sessionById,
  sessionRecords,
  endSession,
  commands,
  approvals,
  approvalById,
  decideApproval,
  approvalCallback,
  schemaById,
  subjects,
  subjectVersions,
  subjectVersion,
]

/** Every route, in the order of the documentation. */
export const routes: readonly Route<ApiDeps>[] = [openApiRoute(described), ...described]
