import type { ClickHouseReader } from '#lib/clickhouse/port.ts'

/**
 * Functions that a reader may call: an allow-list, so that a function of a later engine is refused until somebody has looked at it. By
 * category as the engine states it, and by name where a category holds both kinds.
 */
const categories: ReadonlySet<string> = new Set([
  'Arithmetic',
  'Arrays',
  'Bit',
  'Bitmap',
  'Comparison',
  'Conditional',
  'Dates and Times',
  'Distance',
  'Encoding',
  'Financial',
  'Geo',
  'Geo Polygon',
  'Hash',
  'IP Address',
  'JSON',
  'Logical',
  'Map',
  'Mathematical',
  'Null',
  'Random Number',
  'Rounding',
  'String',
  'String Replacement',
  'String Search',
  'String Splitting',
  'Time Window',
  'Tuple',
  'Type Conversion',
  'URL',
  'UUID',
])

/** Harmless ones of the categories Other and Internal, and what tools ask a server at first. */
const names: readonly string[] = [
  '_cast',
  'casewithexpression',
  'bar',
  'blocknumber',
  'blocksize',
  'bytesize',
  'countdigits',
  'currentdatabase',
  'currentschemas',
  'currentuser',
  'currentroles',
  'currentprofiles',
  'displayname',
  'finalizeaggregation',
  'formatquery',
  'formatquerysingleline',
  'formatreadabledecimalsize',
  'formatreadablequantity',
  'formatreadablesize',
  'formatreadabletimedelta',
  'getsetting',
  'hostname',
  'identity',
  'ignore',
  'indexhint',
  'isconstant',
  'lowcardinalityindices',
  'lowcardinalitykeys',
  'macnumtostring',
  'macstringtonum',
  'macstringtooui',
  'materialize',
  'neighbor',
  'normalizequery',
  'normalizedqueryhash',
  'parsereadablesize',
  'parsetimedelta',
  'queryid',
  'revision',
  'rownumberinallblocks',
  'rownumberinblock',
  'runningdifference',
  'throwif',
  'tocolumntypename',
  'totypename',
  'transform',
  'uptime',
  'version',
  'varianttype',
  'variantelement',
  'visiblewidth',
  // Table functions that make their rows themselves.
  'numbers',
  'numbers_mt',
  'zeros',
  'values',
  'generateseries',
  'generate_series',
]

/** Not allowed although their category is: a format may name files, and `chdb` is the engine's own affair. */
const refused: ReadonlySet<string> = new Set(['formatrow', 'formatrownonewline', 'chdb'])

type FunctionRow = {
  readonly name: string
  readonly alias_to: string
  readonly categories: string
  readonly is_aggregate: number
}

/** Whether a function, a table function or an aggregate with its combinators may be called. */
export type MayCall = (name: string) => boolean

/** Builds the list from what the engine says of its functions. */
export const readAllowedFunctions = async (clickhouse: ClickHouseReader): Promise<MayCall> => {
  const rows = await clickhouse.query<FunctionRow>(
    'SELECT name, alias_to, categories, is_aggregate FROM system.functions',
  )
  const combinators = await clickhouse.query<{ name: string }>(
    'SELECT name FROM system.aggregate_function_combinators',
  )
  const suffixes = combinators.map(({ name }) => name.toLowerCase())
  const allowed = new Set(names)
  const aggregates = new Set<string>()
  for (const { name, categories: stated, is_aggregate } of rows) {
    const lower = name.toLowerCase()
    if (refused.has(lower)) continue
    if (is_aggregate === 1) aggregates.add(lower)
    else if (stated !== '' && stated.split(',').every((one) => categories.has(one.trim())))
      allowed.add(lower)
  }
  for (const { name, alias_to } of rows) {
    const target = alias_to.toLowerCase()
    if (allowed.has(target)) allowed.add(name.toLowerCase())
    if (aggregates.has(target)) aggregates.add(name.toLowerCase())
  }

  const isAggregate = (name: string): boolean =>
    aggregates.has(name) ||
    suffixes.some((suffix) => name.endsWith(suffix) && isAggregate(name.slice(0, -suffix.length)))

  return (name) => {
    const lower = name.toLowerCase()
    return allowed.has(lower) || isAggregate(lower)
  }
}
