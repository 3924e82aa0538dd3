import { randomBytes } from 'node:crypto'
import type { Command } from './command.ts'
import { clientEncoding, type ClientEncoding } from './encoding.ts'
import { openInFlight, type InFlight } from './in-flight.ts'
import { openNames, type Names } from './names.ts'
import { openSessionNaming, type SessionNaming } from './catalog/session-naming.ts'
import type { Portal, Prepared } from './prepared.ts'

/** What the gateway knows of a session between its two legs. Both directions read and change it, in one thread. */
export type SessionState = {
  readonly inFlight: InFlight
  readonly statements: Names<Prepared>
  readonly portals: Names<Portal>
  /** Counts the borders after which an error no longer skips: each Sync, each simple query. */
  segment: number
  /** Extended messages were sent since the last border. */
  unsynced: boolean
  /** The latest command since the last border; its ReadyForQuery belongs to it. */
  segmentCommand: Command | null
  /** The server failed in a segment whose Sync has not been sent: it ignores everything until that. */
  skipping: boolean
  /** The latest Query or Execute: CopyData belongs to it. */
  inputOwner: Command | null
  /** The server reads COPY data, and the client has not ended it. */
  copyOpen: boolean
  /** A Sync came while it did and before any data: not forwarded, since a server that still reads swallows it and one that failed does not. */
  copySync: boolean
  /** The target has a part of CopyData whose rest has not been sent. What follows would be taken for that rest. */
  copyCut: boolean
  /** Transaction status of the latest ReadyForQuery: I idle, T in transaction, E failed. */
  transaction: number
  encoding: ClientEncoding
  /** Backslashes in plain literals are only characters, as the parser assumes. */
  plainBackslashes: boolean
  /** Nothing in the session makes the proof of a pure read doubtful (search path, role ...). */
  proofs: boolean
  /** What names in the next text mean. */
  readonly naming: SessionNaming
  /** Counts what is no proven pure read: code it runs may have given any name made before another meaning. */
  disturbances: number
  /** Latest batch with such a command that no ReadyForQuery has followed: settings it changed may not be reported yet. 0 none. */
  unreported: number
  /** Number of the latest batch sent to the target. */
  batch: number
  /** A portal name that no client can know: executing it fails, which is how a refusal takes its place in the stream. */
  readonly refusedPortal: string
}

/** Where a builtin's name is looked up in pg_catalog first, and what else is searched is what everybody expects. */
const plain_search_paths = new Set(['"$user", public', '"$user",public', 'public'])

/**
 * State at the start of a session. `parameters` as the server reported them: what a database or a role sets as its search path shows
 * there from PostgreSQL 18 on; where it does not show, nothing is proven.
 */
export const newSessionState = (
  parameters: ReadonlyMap<string, string>,
  proofs: boolean,
  naming: SessionNaming = openSessionNaming({
    catalog: null,
    parameters,
    asked_path: undefined,
    user: '',
    pid: null,
  }),
): SessionState => ({
  inFlight: openInFlight(),
  statements: openNames(),
  portals: openNames(),
  segment: 0,
  unsynced: false,
  segmentCommand: null,
  skipping: false,
  inputOwner: null,
  copyOpen: false,
  copySync: false,
  copyCut: false,
  transaction: 0x49,
  encoding: clientEncoding(parameters.get('client_encoding') ?? 'UTF8'),
  plainBackslashes: parameters.get('standard_conforming_strings') !== 'off',
  proofs: proofs && plain_search_paths.has(parameters.get('search_path') ?? ''),
  naming,
  disturbances: 0,
  unreported: 0,
  batch: 0,
  refusedPortal: `cairn refused ${randomBytes(12).toString('hex')}`,
})
