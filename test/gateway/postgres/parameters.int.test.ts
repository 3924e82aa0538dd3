import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { decodeBinary } from '../../../services/gateway/protocols/postgres/parameters.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'

let postgres: TestPostgres
let client: Client

beforeAll(async () => {
  postgres = await startPostgres()
  client = new Client(postgres.url)
  await client.connect()
  await client.query("set timezone = 'UTC'")
  await client.query('set extra_float_digits = 1')
})

afterAll(async () => {
  await client?.end()
  await postgres?.stop()
})

const read = (buffer: Buffer, start: number, end: number): string =>
  buffer.toString('utf8', start, end)

const cases: readonly (readonly [type: string, send: string, ...values: readonly string[]])[] = [
  ['bool', 'boolsend', 'true', 'false'],
  ['int2', 'int2send', '0', '-32768', '32767'],
  ['int4', 'int4send', '0', '-2147483648', '2147483647'],
  ['int8', 'int8send', '0', '-9223372036854775808', '9223372036854775807'],
  ['oid', 'oidsend', '0', '4294967295'],
  [
    'float4',
    'float4send',
    '0',
    '-0',
    '1.5',
    '0.1',
    '3.4028235e38',
    '1e-45',
    'NaN',
    'Infinity',
    '-Infinity',
    '16777216',
    '1e6',
    '123456.79',
  ],
  [
    'float8',
    'float8send',
    '0',
    '1.5',
    '0.1',
    '1.7976931348623157e308',
    '5e-324',
    'NaN',
    '-Infinity',
    '123456789012345680',
    '1e15',
    '1e16',
    '0.0001',
    '0.00001',
  ],
  [
    'numeric',
    'numeric_send',
    '0',
    '0.00',
    '12.50',
    '-12345678901234567890.123456789',
    '1e-20',
    '10000',
    '100000000',
    'NaN',
    'Infinity',
    '-Infinity',
    '0.0001',
    '9999.9999',
  ],
  ['text', 'textsend', '', 'plain', 'é ✓ 漢字'],
  ['varchar', 'varcharsend', 'v'],
  ['name', 'namesend', 'n'],
  ['uuid', 'uuid_send', '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'],
  ['bytea', 'byteasend', '\\x', '\\xdeadbeef'],
  [
    'date',
    'date_send',
    '2000-01-01',
    '1970-01-01',
    '1999-12-31',
    '0001-01-01',
    '0044-03-15 BC',
    '9999-12-31',
    'infinity',
    '-infinity',
    '2024-02-29',
  ],
  ['time', 'time_send', '00:00:00', '23:59:59.999999', '12:34:56.5', '24:00:00'],
  [
    'timestamp',
    'timestamp_send',
    '2000-01-01 00:00:00',
    '1969-07-20 20:17:40.5',
    '2026-11-21 03:04:05.000001',
    'infinity',
    '-infinity',
    '0044-03-15 12:00:00 BC',
  ],
  [
    'timestamptz',
    'timestamptz_send',
    '2026-11-21 03:04:05.123+00',
    '1999-12-31 23:59:59.999999+00',
    'infinity',
  ],
  ['json', 'json_send', '{"a": [1, 2]}'],
  ['jsonb', 'jsonb_send', '{"a": [1, 2]}'],
  ['int4[]', 'array_send', '{}', '{1,2,NULL}'],
  ['int8[]', 'array_send', '{9223372036854775807}'],
  ['text[]', 'array_send', '{a,"b c","",NULL,"NULL","q\\"uo\\\\te","x,y","{}"}'],
  ['uuid[]', 'array_send', '{0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0}'],
  ['bool[]', 'array_send', '{t,f}'],
  ['numeric[]', 'array_send', '{1.50,-2}'],
]

it.each(cases.flatMap(([type, send, ...values]) => values.map((value) => ({ type, send, value }))))(
  'a binary $type is shown as the server shows it: $value',
  async ({ type, send, value }) => {
    const { rows } = await client.query<{ bytes: Buffer; text: string; oid: number }>(
      `select ${send}($1::${type}) as bytes, $1::${type}::text as text, '${type}'::regtype::oid::int as oid`,
      [value],
    )
    const { bytes, oid, text } = rows[0]!
    // As text, the server says true; in the DETAIL of its log and on the wire it is t.
    const shown = type === 'bool' ? text[0] : text
    expect(decodeBinary(bytes, oid, read)).toBe(shown)
  },
)

it('bytes that do not fit their type, and types that are not known, are shown in hex', () => {
  expect(decodeBinary(Buffer.from([1, 2, 3]), 23, read)).toBe('\\x010203')
  expect(decodeBinary(Buffer.from([1, 2]), 1700, read)).toBe('\\x0102')
  expect(decodeBinary(Buffer.from([9]), 3802, read)).toBe('\\x09')
  expect(decodeBinary(Buffer.from([1, 2]), 99_999, read)).toBe('\\x0102')
  expect(decodeBinary(Buffer.from([0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 23]), 1007, read)).toMatch(
    /^\\x/,
  )
})
