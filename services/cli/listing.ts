import { CairnError } from '#lib/error.ts'
import { wholeNumber, type Output } from './command.ts'
import type { AskOptions, Connection } from './connection.ts'
import { safeJson } from './terminal/safe-text.ts'
import { tableLines, type Column } from './terminal/table.ts'
import { timeOf } from './terminal/time.ts'

/** A keyset page of the API. */
type Page<Item> = { readonly items: readonly Item[]; readonly next: string | null }

/** Rows that a listing shows at most. */
const rows_max = 100_000
/** Rows asked for at a time: the API's own limit. */
const page_rows_max = 500

/** Options that every listing has. */
export const listing_options = {
  since: { type: 'string', value: 'TIME', doc: 'from this time on: 2h, 7d, or 2026-01-31T12:00Z' },
  until: { type: 'string', value: 'TIME', doc: 'before this time' },
  limit: { type: 'string', short: 'n', value: 'N', doc: 'rows at most (default 50)' },
  json: { type: 'boolean', doc: 'one JSON object a line' },
} as const

/** Reads `--since` or `--until`. */
export const timeOption = (
  name: 'since' | 'until',
  value: string | undefined,
  now_ms: number,
): string | undefined => {
  if (value === undefined) return undefined
  const time = timeOf(value, now_ms)
  if (time === undefined)
    throw new CairnError(
      'unusable_input',
      `--${name} "${value}" is no time: give 30m, 2h, 7d ago, or 2026-01-31T12:00Z`,
    )
  return time
}

export type Listing<Item> = {
  readonly path: string
  readonly query: NonNullable<AskOptions['query']>
  readonly columns: readonly Column[]
  readonly row: (item: Item) => readonly string[]
  /** Said on standard error when there is nothing. */
  readonly nothing: string
  readonly limit: string | undefined
  readonly json: boolean
}

const collect = async <Item>(
  connection: Connection,
  listing: Listing<Item>,
  limit: number,
  out: Output,
  signal: AbortSignal,
): Promise<{ readonly items: readonly Item[]; readonly more: boolean }> => {
  const items: Item[] = []
  let cursor: string | null = null
  do {
    const page: Page<Item> = await connection.ask(listing.path, {
      query: {
        ...listing.query,
        limit: Math.min(limit - items.length, page_rows_max),
        cursor: cursor ?? undefined,
      },
      signal,
    })
    items.push(...page.items)
    cursor = page.next
    if (cursor !== null && items.length < limit) out.say(`${items.length} rows so far`)
  } while (cursor !== null && items.length < limit)
  return { items, more: cursor !== null }
}

/** Lists what the API gives page by page: a table as wide as the terminal, or one JSON object a line. */
export const runListing = async <Item>(
  connection: Connection,
  listing: Listing<Item>,
  out: Output,
  signal: AbortSignal,
): Promise<0> => {
  const limit = listing.limit === undefined ? 50 : wholeNumber(listing.limit, rows_max)
  if (limit === undefined)
    throw new CairnError('unusable_input', `--limit takes a whole number, 1 to ${rows_max}`)
  const { items, more } = await collect(connection, listing, limit, out, signal)
  if (listing.json) for (const item of items) await out.print(safeJson(item))
  else if (items.length === 0) out.say(listing.nothing)
  else
    for (const line of tableLines(listing.columns, items.map(listing.row), {
      width_max: out.columns,
      title: out.style.bold,
    }))
      await out.print(line)
  if (more) out.say(`There are more; --limit N shows more than ${limit}.`)
  return 0
}
