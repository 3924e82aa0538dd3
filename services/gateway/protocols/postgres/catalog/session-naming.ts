import type { NameMoves } from '#core/sql/name-moves.ts'
import {
  everything_shifted,
  isShifted,
  joinShifted,
  nothing_shifted,
  withoutNames,
  type Naming,
  type ShiftedNames,
} from '#core/sql/naming.ts'
import { parseSearchPath, resolveSearchPath } from '#core/sql/search-path.ts'
import type { SessionCatalog } from './catalogs.ts'

/** What names mean in a session, now. Follows search path and role, and what the session itself changed and nobody else sees yet. */
export interface SessionNaming {
  /** The same object as long as nothing changed. */
  current(): Naming
  /** A text should wait: for answers that are due, or for a load of the catalog. */
  waits(text: string, due: boolean): boolean
  /** The load that a text waits for; null when there is none. */
  pending(): Promise<void> | null
  /** A name or OID that is not in the catalog was met. */
  missed(): void
  /** A command goes to the target. */
  sent(moves: NameMoves, batch: number): void
  /** ParameterStatus of search_path. */
  reportedPath(value: string): void
  /** ParameterStatus of session_authorization. */
  reportedUser(value: string): void
  /** ReadyForQuery: transaction status (I, T, E), and the batch of the oldest message without an answer (Infinity: none). */
  ready(transaction: number, due_batch: number): void
  /** The session is over. */
  close(): void
}

export type SessionNamingOptions = {
  /** Null: nothing is known of the database. */
  readonly catalog: SessionCatalog | null
  /** As the server reported them at the start. */
  readonly parameters: ReadonlyMap<string, string>
  /** The search path that the client asked for at the start; undefined: it did not. */
  readonly asked_path: string | undefined
  /** Account at the target. */
  readonly user: string
  /** Process id of the session at the target; null when it does not tell. */
  readonly pid: number | null
}

const idle = 0x49
/** Roles that may be the current one; more are as good as any. */
const users_max = 16

/** Opens the names of a session. Servers before PostgreSQL 18 do not report the search path: there it is known until it changes, if at all. */
export const openSessionNaming = (options: SessionNamingOptions): SessionNaming => {
  const { catalog, parameters, pid } = options
  const start = parameters.get('search_path')
  const reports = start !== undefined
  let path = parseStart(start ?? options.asked_path)
  /** Roles that may be the current one; undefined: any. */
  let users: ReadonlySet<string> | undefined = new Set([options.user])
  /** Names changed by this session, not committed as far as is known. */
  let touched = nothing_shifted
  /** The latest batch that may change path or role, while its ReadyForQuery is due. 0: none. */
  let pathBatch = 0
  /** The latest batch that touched names. */
  let touchedBatch = 0
  /** Path or role were changed in the transaction that is open. */
  let revertible = false
  let naming: Naming | null = null
  /** What `naming` was made from. */
  let madeOf: readonly unknown[] = []

  /** Which role makes no difference where none has a schema: then any of their names stands for that. */
  const currentUser = (): string | undefined => {
    if (users === undefined) return undefined
    const [first, ...others] = users
    const all_without = [...users].every((name) => catalog?.hasSchema(name) === false)
    return others.length === 0 || all_without ? first : undefined
  }

  const temporarySchema = (): string | undefined =>
    pid === null ? undefined : catalog?.temporarySchema(pid)

  const searchPath = (): readonly string[] | undefined => {
    if (pathBatch > 0 || path === undefined) return undefined
    const resolved = resolveSearchPath(path, currentUser())
    const temporary = temporarySchema()
    if (resolved === undefined || temporary === undefined) return resolved
    const listed = resolved.map((schema) => (schema === 'pg_temp' ? temporary : schema))
    return listed.includes(temporary) ? listed : [temporary, ...listed]
  }

  const make = (): Naming => {
    const search_path = searchPath()
    const plain: Naming = catalog?.naming(search_path) ?? { catalog: undefined, search_path }
    const shifted = joinShifted(touched, catalog?.shifted() ?? nothing_shifted)
    if (plain.catalog === undefined || !isShifted(shifted)) return plain
    return { catalog: withoutNames(plain.catalog, shifted), search_path }
  }

  return {
    current: () => {
      const temporary = temporarySchema()
      const now = [
        path,
        users,
        pathBatch > 0,
        touched,
        catalog?.shifted(),
        catalog?.current(),
        temporary,
      ]
      if (naming === null || now.some((part, index) => part !== madeOf[index])) {
        naming = make()
        madeOf = now
      }
      return naming
    },
    waits: (text, due) => {
      if (pathBatch > 0 && due) return true
      // The change is on its way: whether and when it is committed is told by the answer.
      if (touchedBatch > 0 && due && mentions(text, touched)) return true
      if (catalog === null || catalog.pending() === null) return false
      return catalog.current() === undefined || mentions(text, catalog.shifted())
    },
    pending: () => catalog?.pending() ?? null,
    missed: () => catalog?.missed(),
    sent: (moves, batch) => {
      const dropped = moves.discards && temporarySchema() !== undefined
      const shifts = dropped ? everything_shifted : moves.shifts
      if (isShifted(shifts)) {
        touched = joinShifted(touched, shifts)
        touchedBatch = batch
      }
      const role = moves.roles?.length !== 0
      if (role) users = withRoles(users, moves.roles, options.user)
      if (moves.path || role || (moves.ends && revertible)) {
        pathBatch = batch
        revertible = true
        if (!reports && (moves.path || moves.ends)) path = undefined
      }
    },
    reportedPath: (value) => {
      path = parseSearchPath(value)
    },
    reportedUser: (value) => {
      users = withRoles(users, [value], options.user)
    },
    ready: (transaction, due_batch) => {
      if (due_batch > pathBatch) pathBatch = 0
      if (due_batch > touchedBatch) touchedBatch = 0
      if (transaction !== idle) return
      if (pathBatch === 0) revertible = false
      if (touchedBatch > 0 || !isShifted(touched)) return
      catalog?.changed(touched)
      touched = nothing_shifted
    },
    close: () => catalog?.release(),
  }
}

const withRoles = (
  users: ReadonlySet<string> | undefined,
  roles: readonly string[] | null,
  login: string,
): ReadonlySet<string> | undefined => {
  if (users === undefined || roles === null) return undefined
  const more = new Set([...users, ...roles.map((role) => (role === '' ? login : role))])
  return more.size > users_max ? undefined : more
}

/** Whether a text may name one of these. Looks for the words, so it says yes too often. */
const mentions = (text: string, { all, names }: ShiftedNames): boolean => {
  if (all) return true
  if (names.size === 0) return false
  const lower = text.toLowerCase()
  return [...names].some((name) => hasWord(lower, name.toLowerCase()))
}

const part_of_word = /[\p{L}\p{N}_$]/u

const hasWord = (text: string, word: string): boolean => {
  // A name with a quote or a character beyond ASCII may be written in more than one way.
  if (!/^[a-z0-9_]+$/.test(word)) return true
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const before = text[at - 1] ?? ' '
    const after = text[at + word.length] ?? ' '
    if (!part_of_word.test(before) && !part_of_word.test(after)) return true
  }
  // U&"..." hides letters behind escapes.
  return text.includes('u&')
}

const parseStart = (value: string | undefined): readonly string[] | undefined =>
  value === undefined ? undefined : parseSearchPath(value)
