import type { Chance } from '../../support/random-numbers.ts'

/** Texts that a fuzzed client sends. All of them are quick, and none of them keeps another session waiting. */

/** Names that statements, portals and cursors share: few, so that they meet; two are one after 63 bytes. */
const long = 'n'.repeat(63)
export const names = ['', '', 'a', 'b', 'A', 'ü', 'a b', `${long}x`, `${long}y`] as const

/** Run before the fuzz: the tables it works on. */
export const fuzz_schema = `
  create table fuzz (a int, b text);
  insert into fuzz select i, 'row ' || i from generate_series(1, 20) i;
  create table fuzz_copy (a int, b text)`

/** Without parameters. Those with an effect on names, settings or the transaction are what breaks assumptions. */
const plain: readonly string[] = [
  'select 1',
  "select 'it''s', $$a;b$$ -- note",
  '/* a */ select /* b */ 2 /* c */;',
  'select a, b from fuzz order by a limit 3',
  'select i from generate_series(1, 40) i',
  "insert into fuzz_copy values (1, 'x') returning *",
  'insert into fuzz_copy select 1; select 2; select 3',
  'select 1; select 1/0; select 2',
  'select 1 / 0',
  'select nothing from nowhere',
  'selec 1',
  '',
  ';',
  ' ; ; ',
  '-- only a comment',
  'begin',
  'begin; select 1; commit',
  'commit',
  'rollback',
  'savepoint s',
  'rollback to savepoint s',
  "prepare a as select 'sql prepared'",
  'prepare b (int) as select $1 + 1',
  'execute a',
  'execute b(3)',
  'execute b(1 / 0)',
  'deallocate a',
  'deallocate b',
  'deallocate all',
  'discard all',
  'declare a cursor for select * from fuzz',
  'fetch 3 from a',
  'close a',
  'close all',
  "set client_encoding to 'LATIN1'",
  "set client_encoding to 'UTF8'",
  'set standard_conforming_strings = off',
  'set standard_conforming_strings = on',
  "select '\\'; select 1; --'",
  "select E'\\'; select 2; --'",
  "select 'grün', U&'\\00e4'",
  'set search_path = pg_catalog, public',
  'reset all',
  'listen news',
  "notify news, 'p'",
  'create temp table if not exists scratch (a int)',
  'drop table if exists scratch',
  'explain select * from fuzz',
  'copy fuzz to stdout',
  'copy (select a from fuzz) to stdout (format binary)',
  'do $$ begin perform 1; end $$',
  "do $$ begin execute 'select 1'; end $$",
  'show search_path',
  'values (1, 2), (3, 4)',
  'table fuzz_copy limit 1',
]

/** With parameters: their types as Parse declares them, values that the server prints as they were sent. */
type Parametrised = {
  readonly text: string
  readonly oids: readonly number[]
  readonly values: (chance: Chance) => readonly (string | Buffer | null)[]
}

const int4 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

const parametrised: readonly Parametrised[] = [
  {
    text: 'select $1::int, $2::text',
    oids: [23, 25],
    values: (chance) => [String(chance.whole(1000)), chance.pick(["it's", '', 'ü', null])],
  },
  { text: 'select $1 + 1', oids: [23], values: (chance) => [int4(chance.whole(1000))] },
  {
    text: 'insert into fuzz_copy values ($1, $2)',
    oids: [],
    values: (chance) => [String(chance.whole(1000)), chance.pick(['x', null])],
  },
  { text: 'select 1 / $1::int', oids: [23], values: () => ['0'] },
  { text: 'select a from fuzz where a > $1 order by a', oids: [23], values: () => ['3'] },
]

export type FuzzStatement = {
  readonly text: string
  readonly oids: readonly number[]
  readonly values: readonly (string | Buffer | null)[]
}

export const anyText = (chance: Chance): string => chance.pick(plain)

/** A statement for the extended protocol, sometimes with too few or too many values. */
export const anyStatement = (chance: Chance): FuzzStatement => {
  if (chance.percent(50)) return { text: anyText(chance), oids: [], values: [] }
  const { text, oids, values } = chance.pick(parametrised)
  const bound = values(chance)
  const wrong = chance.percent(5)
  return { text, oids, values: wrong ? bound.slice(1) : bound }
}

export const copy_in = [
  'copy fuzz_copy from stdin',
  'copy fuzz_copy (a) from stdin (format csv)',
  'copy nowhere from stdin',
  'copy fuzz_copy from stdin; select 1',
] as const
