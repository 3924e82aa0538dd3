import { createCatalog } from '#core/sql/catalog-index.ts'
import type { Catalog } from '#core/sql/catalog.ts'
import {
  isShifted,
  joinShifted,
  nothing_shifted,
  unknown_naming,
  type Naming,
  type ShiftedNames,
} from '#core/sql/naming.ts'
import { counter } from '#lib/metrics.ts'
import type { Secret } from '#lib/config/secret.ts'
import { CairnError } from '#lib/error.ts'
import type { Logger } from '#lib/logger.ts'
import type { PostgresTarget } from '../target.ts'
import { openSideQueries } from '../side-queries.ts'
import { loadCatalog, type LoadedCatalog } from './load.ts'

/** The catalog of one database, as one session sees it. */
export interface SessionCatalog {
  /** Undefined as long as none could be loaded. */
  current(): Catalog | undefined
  /** What names mean with a search path: the same object for the same catalog and path. */
  naming(search_path: readonly string[] | undefined): Naming
  /** Names that were changed at the target and may not be in `current` yet. */
  shifted(): ShiftedNames
  /** Whether a schema of that name has anything in it; true as long as nothing is known. */
  hasSchema(name: string): boolean
  /** The schema of a session's temporary relations, by its process id at the target. */
  temporarySchema(pid: number): string | undefined
  /** A load that the next text should wait for: the first one, or one after a change. Null when there is none. */
  pending(): Promise<void> | null
  /** A session changed names, and the change is committed. */
  changed(names: ShiftedNames): void
  /** A name or OID is not in the catalog: something outside may have changed. Loads again soon, never more often than each few seconds. */
  missed(): void
  /** Waits for a load that begins now. */
  fresh(): Promise<Catalog | undefined>
  /** The session is over: its credential is not used any more. */
  release(): void
}

/** As whom a catalog is loaded: a session's own credential. */
export type CatalogCredential = { readonly user: string; readonly password: Secret }

/** The catalogs of every target and database that a process has sessions at. */
export interface Catalogs extends AsyncDisposable {
  forSession(
    target: PostgresTarget,
    database: string,
    credential: CatalogCredential,
  ): SessionCatalog
}

export type CatalogsDeps = {
  readonly logger: Logger
  /** Monotonic clock, milliseconds. */
  readonly now_ms: () => number
}

/** How long a text waits for a catalog; then it is read with what there is, changed names unknown, milliseconds. */
const wait_max_ms = 10_000
/** Between loads because of names that are not known, milliseconds. */
const missed_interval_ms = 5_000
/** Databases without a session whose catalog is kept. */
const unused_max = 32
/** Search paths of one catalog whose naming is shared. */
const paths_max = 256
/** Limit of one query of a load. */
const statement_timeout_ms = 30_000
/** Bytes of one page of an answer. */
const page_bytes_max = 64 * 1024 * 1024

type Snapshot = {
  readonly catalog: Catalog
  readonly loaded: Pick<LoadedCatalog, 'temporary' | 'digest'>
  readonly schemas: ReadonlySet<string>
  readonly namings: Map<string, Naming>
}

type Entry = {
  readonly target: PostgresTarget
  readonly database: string
  /** Credentials of open sessions, oldest first. */
  readonly credentials: Set<CatalogCredential>
  snapshot: Snapshot | null
  shifted: ShiftedNames
  /** The load that texts wait for. */
  pending: Promise<void> | null
  /** The load under way, and the one that follows it. */
  running: Promise<void>
  queued: Promise<void> | null
  /** When the latest load began; -Infinity before the first. */
  began_ms: number
  timer: NodeJS.Timeout | null
}

const newEntry = (target: PostgresTarget, database: string): Entry => ({
  target,
  database,
  credentials: new Set(),
  snapshot: null,
  shifted: nothing_shifted,
  pending: null,
  running: Promise.resolve(),
  queued: null,
  began_ms: Number.NEGATIVE_INFINITY,
  timer: null,
})

const schemasOf = ({ relations, functions }: LoadedCatalog): ReadonlySet<string> =>
  new Set([...relations, ...functions].map(({ schema }) => schema))

const openMetrics = () => ({
  loads: counter({
    name: 'gateway_catalog_loads_total',
    help: 'Loads of a target database’s catalog, by outcome: loaded, unchanged, failed.',
    labels: ['outcome'],
  }),
})

/** Loads each database's catalog when its first session comes, and again when something changes it. */
export const openCatalogs = ({ logger, now_ms }: CatalogsDeps): Catalogs => {
  const metrics = openMetrics()
  const entries = new Map<string, Entry>()
  const stop = new AbortController()
  let version = 0

  const load = async (entry: Entry, credential: CatalogCredential): Promise<void> => {
    const { config, tls } = entry.target
    const opened = await openSideQueries(
      {
        host: config.host,
        port: config.port,
        tls,
        user: credential.user,
        password: credential.password,
        database: entry.database,
        parameters: new Map([['application_name', 'cairn catalog']]),
        timeout_ms: config.connect_timeout_ms,
        signal: stop.signal,
      },
      { statement_timeout_ms, answer_bytes_max: page_bytes_max },
    )
    if (!opened.ok) throw new CairnError('target_unavailable', opened.detail)
    await using queries = opened.queries
    const before = entry.shifted
    const loaded = await loadCatalog(queries)
    const { temporary, digest } = loaded
    const same = entry.snapshot?.loaded.digest === digest ? entry.snapshot : null
    // The same content keeps its version, and with it whatever was read with it before.
    entry.snapshot = {
      catalog: same?.catalog ?? createCatalog({ version: ++version, ...loaded }),
      loaded: { temporary, digest },
      schemas: same?.schemas ?? schemasOf(loaded),
      namings: same?.namings ?? new Map<string, Naming>(),
    }
    if (entry.shifted === before) entry.shifted = nothing_shifted
    metrics.loads.inc({ outcome: same === null ? 'loaded' : 'unchanged' })
  }

  const attempt = async (entry: Entry): Promise<void> => {
    const [credential] = entry.credentials
    if (credential === undefined || stop.signal.aborted) return
    entry.began_ms = now_ms()
    try {
      await load(entry, credential)
    } catch (error) {
      if (stop.signal.aborted) return
      metrics.loads.inc({ outcome: 'failed' })
      logger.warn(
        { err: error, target: entry.target.config.name },
        "a target's catalog could not be loaded: names stay as they are written",
      )
    }
    schedule(entry)
  }

  /** One load at a time for each database; whoever asks while one is under way gets the one after it. */
  const reload = (entry: Entry): Promise<void> => {
    const begin = async (): Promise<void> => {
      await entry.running
      entry.queued = null
      entry.running = attempt(entry)
      await entry.running
    }
    return (entry.queued ??= begin())
  }

  const awaitLoad = (entry: Entry): void => {
    const wait = async (): Promise<void> => {
      const timeout = Promise.withResolvers<void>()
      const timer = setTimeout(timeout.resolve, wait_max_ms)
      await Promise.race([reload(entry), timeout.promise])
      clearTimeout(timer)
      if (entry.pending === pending) entry.pending = null
    }
    const pending = wait()
    entry.pending = pending
  }

  const refresh_ms = (entry: Entry): number => entry.target.config.catalog.refresh_s * 1000

  const schedule = (entry: Entry): void => {
    if (entry.timer !== null) clearTimeout(entry.timer)
    entry.timer = null
    const wait = refresh_ms(entry)
    if (wait === 0 || entry.credentials.size === 0) return
    entry.timer = setTimeout(() => void reload(entry), wait)
    entry.timer.unref()
  }

  const forgetUnused = (): void => {
    const unused = [...entries].filter(([, { credentials }]) => credentials.size === 0)
    for (const [key] of unused.slice(0, Math.max(0, unused.length - unused_max)))
      entries.delete(key)
  }

  const sessionCatalog = (entry: Entry, credential: CatalogCredential): SessionCatalog => ({
    current: () => entry.snapshot?.catalog,
    naming: (search_path) => {
      const { snapshot } = entry
      if (snapshot === null) return { ...unknown_naming, search_path }
      const key = search_path === undefined ? '' : JSON.stringify(search_path)
      const known = snapshot.namings.get(key)
      if (known !== undefined) return known
      const naming: Naming = { catalog: snapshot.catalog, search_path }
      if (snapshot.namings.size < paths_max) snapshot.namings.set(key, naming)
      return naming
    },
    shifted: () => entry.shifted,
    hasSchema: (name) => entry.snapshot?.schemas.has(name) ?? true,
    temporarySchema: (pid) => entry.snapshot?.loaded.temporary.get(pid),
    pending: () => entry.pending,
    changed: (names) => {
      if (!isShifted(names)) return
      entry.shifted = joinShifted(entry.shifted, names)
      awaitLoad(entry)
    },
    missed: () => {
      if (now_ms() - entry.began_ms > missed_interval_ms) void reload(entry)
    },
    fresh: async () => {
      await reload(entry)
      return entry.snapshot?.catalog
    },
    release: () => {
      entry.credentials.delete(credential)
      if (entry.credentials.size > 0) return
      if (entry.timer !== null) clearTimeout(entry.timer)
      entry.timer = null
      forgetUnused()
    },
  })

  return {
    forSession: (target, database, given) => {
      const key = `${target.config.name}\0${database}`
      const entry = entries.get(key) ?? newEntry(target, database)
      // The latest used stands last.
      entries.delete(key)
      entries.set(key, entry)
      // Its own object, also when two sessions have the same credential.
      const credential = { ...given }
      const first = entry.credentials.size === 0
      entry.credentials.add(credential)
      const age_ms = now_ms() - entry.began_ms
      // While nobody was there, nobody saw it change.
      if (entry.snapshot === null ? first : first && age_ms > refresh_ms(entry)) awaitLoad(entry)
      return sessionCatalog(entry, credential)
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      for (const { timer } of entries.values()) if (timer !== null) clearTimeout(timer)
      await Promise.all([...entries.values()].map(({ running }) => running))
    },
  }
}
