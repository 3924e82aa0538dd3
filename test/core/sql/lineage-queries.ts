/** Queries made up at random, nearly all of which PostgreSQL accepts: expressions of text over whatever FROM gives. */

export type Dice = {
  /** 0 to below n. */
  roll(n: number): number
  pick<T>(all: readonly T[]): T
}

/** mulberry32: small, and the same for the same seed everywhere. */
export const diceOf = (seed: number): Dice => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const roll = (n: number): number => Math.floor(next() * n)
  return { roll, pick: (all) => all[roll(all.length)]! }
}

type Item = { readonly alias: string; readonly columns: readonly string[]; readonly row: boolean }
type Made = { readonly text: string; readonly columns: readonly string[] }
type Place = {
  readonly items: readonly Item[]
  readonly outer: Place | undefined
  readonly queries: readonly Item[]
}

const tables: readonly Item[] = [
  { alias: 'people', columns: ['id', 'ssn', 'email', 'name', 'salary', 'tags', 'doc'], row: true },
  { alias: 'orders', columns: ['id', 'person_id', 'note', 'total'], row: true },
  { alias: 'mails', columns: ['id', 'mail'], row: true },
  { alias: 'rich', columns: ['mail', 'n'], row: true },
  { alias: 'kept', columns: ['name', 'all_notes'], row: true },
  { alias: 'humans', columns: ['id', 'badge'], row: true },
  { alias: 'humans_1', columns: ['id', 'badge'], row: true },
  { alias: 'made', columns: ['first', 'whole'], row: true },
  { alias: 'nested', columns: ['id', 'person'], row: true },
]

const maker = (dice: Dice) => {
  let names = 0
  const fresh = (prefix: string): string => `${prefix}${String((names += 1))}`

  const everyItem = (place: Place | undefined): readonly Item[] =>
    place ? [...place.items, ...everyItem(place.outer)] : []

  const column = (place: Place): string => {
    const items = everyItem(place).filter(({ columns }) => columns.length > 0)
    if (items.length === 0) return `'-'`
    const own = place.items.filter(({ columns }) => columns.length > 0)
    const item = dice.pick(own.length > 0 && dice.roll(4) > 0 ? own : items)
    return `${item.alias}.${dice.pick(item.columns)}::text`
  }

  const whole = (place: Place): string => {
    const items = everyItem(place).filter(({ row }) => row)
    return items.length > 0 ? dice.pick(items).alias : ''
  }

  const rowExpression = (place: Place, depth: number): string => {
    const row = whole(place)
    if (row === '') return column(place)
    const fields = everyItem(place).find(({ alias }) => alias === row)?.columns ?? []
    const field = dice.pick(fields)
    return dice.pick([
      `${row}::text`,
      `to_jsonb(${row})::text`,
      `row_to_json(${row}.*)::text`,
      `(${row}).${field}::text`,
      `to_jsonb(${row}) ->> '${field}'`,
      `(to_jsonb(${row}) - 'id')::text`,
      `(select string_agg(k.value, '/') from jsonb_each_text(to_jsonb(${row})) k)`,
      `(select q.r::text from (select ${row} as r) q)`,
      `(row(${row}.*, ${expression(place, depth - 1)})).f1::text`,
      `(array[${row}])[1]::text`,
      `((array[${row}])[1]).${field}::text`,
      `concat(${row})`,
      `format('%s', ${row})`,
      `md5(${row}::text) || ${row}::text`,
    ])
  }

  const expression = (place: Place, depth: number): string => {
    if (depth <= 0) return column(place)
    const more = (): string => expression(place, depth - 1)
    const makers: readonly (() => string)[] = [
      () => column(place),
      () => column(place),
      () => `${more()} || ${more()}`,
      () => `reverse(${more()})`,
      () => `substr(${more()}, 1, 3)`,
      () => `coalesce(${more()}, ${more()})`,
      () => `case when ${condition(place, depth - 1)} then ${more()} else ${more()} end`,
      () => `nullif(${more()}, ${more()})`,
      () => `greatest(${more()}, ${more()})`,
      () => `array_to_string(array[${more()}, ${more()}], '-')`,
      () => `json_build_object('k', ${more()})::text`,
      () => `json_object('k': ${more()})::text`,
      () => `json_array(${more()}, ${more()})::text`,
      () => `format('%s:%s', ${more()}, ${more()})`,
      () => `(row(${more()}, ${more()})).f2::text`,
      () => `xmlelement(name x, ${more()})::text`,
      () => `translate(${more()}, '12', '34')`,
      () => `(string_to_array(${more()}, '-'))[1]`,
      () => `regexp_replace(${more()}, '.', 'z')`,
      () => `(select ${more()})`,
      () => `(select x.y from (values (${more()})) x (y))`,
      () => `(${query(place, depth - 1, 1).text} limit 1)`,
      () => `array(${query(place, depth - 1, 1).text})::text`,
      () => `(select string_agg(s.e, ',') from unnest(array[${more()}, ${more()}]) s (e))`,
      () => `first_value(${more()}) over (order by ${more()})`,
      () => `lag(${more()}) over (partition by ${more()} order by ${more()})`,
      () => rowExpression(place, depth),
      () => rowExpression(place, depth),
    ]
    return dice.pick(makers)()
  }

  const condition = (place: Place, depth: number): string => {
    const more = (): string => expression(place, Math.max(0, depth - 1))
    const makers: readonly (() => string)[] = [
      () => 'true',
      () => `${more()} = ${more()}`,
      () => `${more()} <= ${more()}`,
      () => `${more()} like '%' || ${more()}`,
      () => `(${more()}, ${more()}) <= (${more()}, ${more()})`,
      () => `${more()} is not null`,
      () => `${more()} in (${query(place, depth - 1, 1).text})`,
      () => `exists (${query(place, depth - 1, 1).text})`,
      () => `not (${condition(place, depth - 1)})`,
      () => `${condition(place, depth - 1)} or ${condition(place, depth - 1)}`,
    ]
    return depth <= 0 ? 'true' : dice.pick(makers)()
  }

  const source = (place: Place, depth: number): { readonly text: string; readonly item: Item } => {
    const alias = fresh('t')
    if (depth > 0 && dice.roll(3) === 0) {
      const lateral = dice.roll(2) === 0
      const from: Place = lateral ? place : { ...place, items: [] }
      const inner = query(from, depth - 1, 1 + dice.roll(3))
      const renamed = dice.roll(3) === 0 ? inner.columns.map(() => fresh('c')) : inner.columns
      const names = renamed === inner.columns ? '' : ` (${renamed.join(', ')})`
      return {
        text: `${lateral ? 'lateral ' : ''}(${inner.text}) ${alias}${names}`,
        item: { alias, columns: renamed, row: true },
      }
    }
    if (place.items.length > 0 && dice.roll(6) === 0) {
      const called = `unnest(array[${expression(place, 1)}, ${expression(place, 1)}])`
      return { text: `${called} ${alias} (e)`, item: { alias, columns: ['e'], row: false } }
    }
    const named = [...place.queries, ...tables]
    const { alias: name, columns } = dice.pick(dice.roll(3) === 0 ? named : tables)
    return { text: `${name} ${alias}`, item: { alias, columns, row: true } }
  }

  const fromClause = (
    place: Place,
    depth: number,
  ): { readonly text: string; readonly place: Place } => {
    let inner: Place = { items: [], outer: place, queries: place.queries }
    let text = ''
    const count = 1 + dice.roll(2)
    for (let index = 0; index < count; index += 1) {
      const { text: item, item: named } = source(inner, depth)
      const joined: Place = { ...inner, items: [...inner.items, named] }
      if (index === 0) text = item
      else {
        const join = dice.pick([',', 'join', 'left join', 'cross join'])
        const on = join.endsWith('cross join') || join === ',' ? '' : ` on ${condition(joined, 1)}`
        text += `${join === ',' ? ', ' : ` ${join} `}${item}${on}`
      }
      inner = joined
    }
    return { text, place: inner }
  }

  const select = (place: Place, depth: number, width: number): Made => {
    const { text: from, place: inner } = fromClause(place, depth)
    const columns = Array.from({ length: width }, () => fresh('c'))
    const grouped = dice.roll(6) === 0
    const values = columns.map((name, index) => {
      const made = expression(inner, depth)
      const safe = made.includes(' over ') ? column(inner) : made
      if (!grouped) return `${made} as ${name}`
      if (index === 0) return `${safe} as ${name}`
      const aggregate = dice.pick(['max', 'min', 'string_agg'])
      const rest = aggregate === 'string_agg' ? `, ',' order by ${column(inner)}` : ''
      return `${aggregate}(${column(inner)}${rest}) as ${name}`
    })
    const where = dice.roll(2) === 0 ? ` where ${condition(inner, Math.min(depth, 2))}` : ''
    const group = grouped ? ' group by 1' : ''
    return { text: `select ${values.join(', ')} from ${from}${where}${group}`, columns }
  }

  const query = (place: Place, depth: number, width: number): Made => {
    if (depth > 0 && dice.roll(6) === 0) {
      const one = query(place, depth - 1, width)
      const other = query(place, depth - 1, width)
      const operator = dice.pick(['union', 'union all', 'except', 'intersect'])
      return { text: `(${one.text}) ${operator} (${other.text})`, columns: one.columns }
    }
    if (depth > 0 && dice.roll(6) === 0) {
      const inner = query(place, depth - 1, 1 + dice.roll(2))
      const name = fresh('w')
      const queries = [{ alias: name, columns: inner.columns, row: true }, ...place.queries]
      const made = select({ ...place, queries }, depth - 1, width)
      return { text: `with ${name} as (${inner.text}) ${made.text}`, columns: made.columns }
    }
    return select(place, depth, width)
  }

  const top: Place = { items: [], outer: undefined, queries: [] }

  const anyQuery = (): string => {
    if (dice.roll(8) === 0) {
      const { text, place } = fromClause(top, 1)
      return `select * from ${text}${dice.roll(2) === 0 ? ` where ${condition(place, 1)}` : ''}`
    }
    return query(top, 1 + dice.roll(3), 1 + dice.roll(3)).text
  }

  const returning = (place: Place): string => {
    const row = dice.pick(['new', 'old', 'w'])
    return `returning ${expression(place, 2)} as c1, ${row}.*, ${row}::text as c2`
  }

  const anyWrite = (): Write => {
    const { table, columns, text } = dice.pick(targets)
    const target: Item = { alias: 'w', columns, row: true }
    const { text: from, place } = fromClause(top, 1)
    const place_of_row: Place = { ...place, items: [target] }
    const both: Place = { ...place, items: [...place.items, target] }
    const assigned = `${text} = ${expression(both, 2)}`
    const made = dice.pick([
      () =>
        `insert into ${table} as w (id, ${text}) select 7, ${expression(place, 2)} from ${from} limit 1 ${returning(place_of_row)}`,
      () =>
        `update ${table} w set ${assigned} from ${from} where ${condition(both, 1)} ${returning(both)}`,
      () =>
        `update ${table} w set (${text}, id) = (select ${expression(both, 2)}, 8 limit 1) from ${from} ${returning(both)}`,
      () => `delete from ${table} w using ${from} where ${condition(both, 1)} ${returning(both)}`,
      () =>
        `merge into ${table} w using (select ${expression(place, 2)} as e from ${from} limit 1) m on true when matched then update set ${text} = m.e ${returning(place_of_row)}`,
      () =>
        `with x as (update ${table} w set ${assigned} from ${from} ${returning(both)}) select x.c1, x.c2 from x`,
    ])()
    return { table, column: text, text: made }
  }

  return { anyQuery, anyWrite }
}

/** A statement that writes: which column of which table. */
export type Write = { readonly table: string; readonly column: string; readonly text: string }

const targets = [
  { table: 'orders', columns: ['id', 'person_id', 'note', 'total'], text: 'note' },
  { table: 'humans', columns: ['id', 'badge'], text: 'badge' },
  { table: 'humans_1', columns: ['id', 'badge'], text: 'badge' },
] as const

export const makeQuery = (dice: Dice): string => maker(dice).anyQuery()
export const makeWrite = (dice: Dice): Write => maker(dice).anyWrite()
