import { array, assert, asyncProperty, string, tuple, uint8Array } from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClickHouse } from '#lib/clickhouse/port.ts'
import { openTabSeparated, uint_max, type RowWriter } from '#lib/clickhouse/tab-separated.ts'

export type OpenedClickHouse = AsyncDisposable & { readonly clickhouse: ClickHouse }

const columns = ['id', 'text', 'raw', 'moment', 'words', 'pairs', 'map', 'yes', 'negative'] as const

const definition = (name: string): string => `CREATE TABLE ${name}
(
  id UInt64, text String, raw String, moment DateTime64(6, 'UTC'), words Array(LowCardinality(String)),
  pairs Array(Tuple(a String, b Nullable(String), c UInt32, d Bool)), map Map(String, String), yes Bool, negative Int64,
  CONSTRAINT no_poison CHECK text != 'poison'
)
ENGINE = MergeTree ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000`

type Row = {
  readonly id: number
  readonly text: string
  readonly raw: Buffer
  readonly micros: number
  readonly words: readonly string[]
  readonly pairs: readonly { a: string; b: string | null; c: number; d: boolean }[]
  readonly map: Readonly<Record<string, string>>
  readonly yes: boolean
  readonly negative: number
}

const rowOf = (id: number, text: string): Row => ({
  id,
  text,
  raw: Buffer.from(text),
  micros: 1_700_000_000_000_000 + id,
  words: [text],
  pairs: [{ a: text, b: null, c: id, d: true }],
  map: { [text]: text },
  yes: id % 2 === 0,
  negative: 10 - id,
})

const write = (to: RowWriter, row: Row): void => {
  to.uint(row.id, uint_max[64])
  to.string(row.text)
  to.bytes(row.raw)
  to.time(row.micros, 6)
  to.strings(row.words)
  to.tuples(row.pairs.map(({ a, b, c, d }) => [a, b, c, d]))
  to.map(row.map)
  to.bool(row.yes)
  to.int(row.negative)
  to.end()
}

const insertInto = (
  clickhouse: ClickHouse,
  table: string,
  rows: readonly Row[],
  token: string,
): Promise<void> => {
  const writer = openTabSeparated(16)
  for (const row of rows) write(writer, row)
  return clickhouse.insert({ table, columns, rows: rows.length, data: writer.take(), token })
}

/** What breaks text formats, and what the embedded engine would take for the end of the data and another statement. */
const hostile = [
  '',
  "it's",
  'a\tb',
  'a\nb',
  '\n\nDROP TABLE hostile\n\n',
  '\r\n',
  'ends with \r',
  '\\',
  '\\N',
  '\\n',
  '\0',
  ';',
  '\n;\n\nSELECT 1;\n',
  'NULL',
  "']",
  '€ 𝄞 \u2028',
  '{a:String}',
  '-- comment',
  '/* comment',
  '`',
  '"',
] as const

/** What every adapter of the ClickHouse port keeps; `open` gives an empty database. */
export const clickHouseContract = (name: string, open: () => Promise<OpenedClickHouse>): void => {
  describe(`ClickHouse through ${name}`, () => {
    let opened: OpenedClickHouse
    let clickhouse: ClickHouse
    beforeAll(async () => {
      opened = await open()
      clickhouse = opened.clickhouse
    })
    afterAll(() => opened[Symbol.asyncDispose]())

    test('values of every type come back as they were, whatever they hold', async () => {
      await clickhouse.command(definition('hostile'))
      const rows = hostile.map((text, id) => rowOf(id, text))
      await insertInto(clickhouse, 'hostile', rows, 'hostile')
      const found = await clickhouse.query(
        `SELECT id, text, hex(raw) AS raw, toUnixTimestamp64Micro(moment) AS micros, words, pairs, map, yes, negative
         FROM hostile ORDER BY id`,
      )
      expect(found).toEqual(
        rows.map((row) => Object.assign({}, row, { raw: row.raw.toString('hex').toUpperCase() })),
      )
    })

    test('any bytes and any strings come back as they were', async () => {
      await clickhouse.command(definition('anything'))
      let id = 0
      await assert(
        asyncProperty(
          array(tuple(string({ unit: 'binary' }), uint8Array()), { minLength: 1 }),
          async (values) => {
            const first = id
            const rows = values.map(([text, raw]) => ({
              ...rowOf(id++, text.toWellFormed()),
              raw: Buffer.from(raw),
            }))
            await insertInto(clickhouse, 'anything', rows, `anything ${first}`)
            const found = await clickhouse.query<{ text: string; raw: string; words: string[] }>(
              'SELECT text, hex(raw) AS raw, words FROM anything WHERE id >= {first:UInt64} ORDER BY id',
              { first },
            )
            expect(found).toEqual(
              rows.map(({ text, raw, words }) => ({
                text,
                raw: raw.toString('hex').toUpperCase(),
                words,
              })),
            )
          },
        ),
        { numRuns: 30 },
      )
    })

    test('a second insert with the same token takes no effect, in this table alone', async () => {
      await clickhouse.command(definition('once'))
      await clickhouse.command(definition('other'))
      const rows = [rowOf(1, 'a'), rowOf(2, 'b')]
      await insertInto(clickhouse, 'once', rows, 'token-1')
      await insertInto(clickhouse, 'once', rows, 'token-1')
      await insertInto(clickhouse, 'once', [rowOf(3, 'c')], 'token-1')
      await insertInto(clickhouse, 'other', rows, 'token-1')
      await insertInto(clickhouse, 'once', rows, 'token-2')
      const [count] = await clickhouse.query(
        'SELECT (SELECT count() FROM once) AS once, (SELECT count() FROM other) AS other',
      )
      expect(count).toEqual({ once: 4, other: 2 })
    })

    test('an insert with one refused row lands nothing, says so, and leaves its token free', async () => {
      await clickhouse.command(definition('refusing'))
      const rows = [rowOf(1, 'good'), rowOf(2, 'poison'), rowOf(3, 'good')]
      await expect(insertInto(clickhouse, 'refusing', rows, 'poisoned')).rejects.toMatchObject({
        code: 'unusable_input',
      })
      expect(await clickhouse.query('SELECT count() AS n FROM refusing')).toEqual([{ n: 0 }])
      await insertInto(clickhouse, 'refusing', [rows[0]!], 'poisoned')
      expect(await clickhouse.query('SELECT count() AS n FROM refusing')).toEqual([{ n: 1 }])
    })

    test('a missing table may come yet for an insert, and is a wrong name in a query', async () => {
      await expect(
        insertInto(clickhouse, 'missing', [rowOf(1, 'a')], 'missing'),
      ).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(clickhouse.query('SELECT * FROM missing')).rejects.toMatchObject({
        code: 'unusable_input',
      })
      await expect(clickhouse.query('SELEKT 1')).rejects.toMatchObject({ code: 'unusable_input' })
    })

    test('data with an empty line is refused before it goes anywhere', async () => {
      await expect(
        clickhouse.insert({
          table: 'hostile',
          columns: ['id', 'text'],
          rows: 2,
          data: Buffer.from('1\ta\n\nDROP TABLE hostile'),
          token: 'empty line',
        }),
      ).rejects.toThrow(TypeError)
    })

    test('parameters are values, never SQL', async () => {
      const text = "'; DROP TABLE hostile; --\n"
      expect(
        await clickhouse.query('SELECT {text:String} AS text, {list:Array(UInt8)} AS list', {
          text,
          list: [1, 2],
        }),
      ).toEqual([{ text, list: [1, 2] }])
    })

    test('a large answer streams, and leaving early ends it', async () => {
      let sum = 0
      for await (const { n } of clickhouse.stream<{ n: number }>(
        'SELECT number AS n FROM numbers(300000)',
      ))
        sum += n
      expect(sum).toBe((300_000 * 299_999) / 2)
      let seen = 0
      for await (const row of clickhouse.stream('SELECT number AS n FROM numbers(1000000000)')) {
        expect(row).toEqual({ n: seen })
        if (++seen === 10) break
      }
      expect(await clickhouse.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    })

    test('inserts and queries run side by side', async () => {
      await clickhouse.command(definition('busy'))
      await Promise.all(
        Array.from({ length: 20 }, async (_, at) => {
          await insertInto(clickhouse, 'busy', [rowOf(at, `t${at}`)], `busy ${at}`)
          await clickhouse.query('SELECT count() FROM busy')
        }),
      )
      expect(await clickhouse.query('SELECT uniqExact(id) AS ids FROM busy')).toEqual([{ ids: 20 }])
    })
  })
}
