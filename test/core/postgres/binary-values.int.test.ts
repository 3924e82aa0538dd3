import { Client, type CustomTypesConfig } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeBinary } from '#core/postgres/binary-values.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'

/** Values as SQL, by type: the corners of every type that the decoder knows. */
const values: Readonly<Record<string, string>> = {
  bool: 'true ; false',
  bytea: String.raw`'\x00ff41' ; ''`,
  '"char"': String.raw`'a' ; '' ; '\377'`,
  name: `'pg_class'`,
  int2: '0 ; (-32768) ; 32767',
  int4: '0 ; (-2147483648) ; 2147483647',
  int8: '0 ; (-9223372036854775808) ; 9223372036854775807',
  oid: '0 ; 4294967295',
  xid: `'4294967295'`,
  cid: `'7'`,
  xid8: `'18446744073709551615'`,
  text: String.raw`'grüße, 漢字 😀' ; '' ; E'a\nb'`,
  varchar: `'x'`,
  'char(5)': `'ab'`,
  json: `'{"a": [1, null]}'`,
  jsonb: String.raw`'{"b":1,"a":"\u00e9"}' ; 'null'`,
  xml: `'<a>b</a>'`,
  uuid: `'0191b2c3-d4e5-76f7-8899-aabbccddeeff'`,
  float4: `0 ; '-0' ; 1 ; 0.1 ; 3.4028235e38 ; 1.17549435e-38 ; 1e-45 ; 123456 ; 1234567 ; 0.0001 ; 0.00001 ; 16777216 ;
    33554432 ; 'NaN' ; 'Infinity' ; '-Infinity' ; '-1.5e-10'`,
  float8: `0 ; '-0' ; 1 ; 0.1 ; 1e15 ; 123456789012345 ; 1234567890123456 ; 1e14 ; 1e22 ; 1e100 ; 0.0001 ; 0.00001 ; 5e-324 ;
    1.7976931348623157e308 ; 'NaN' ; 'Infinity' ; '-Infinity' ; '-2.5e-9' ; 9007199254740993 ; 299792458.123`,
  numeric: `0 ; 0.00 ; '-0.001' ; 10000 ; 9999 ; 12345.6789 ; 1e20 ; '-1e-20' ; 'NaN' ; 'Infinity' ; '-Infinity' ; 100000000 ;
    0.0001 ; 0.00001000 ; 1.10 ; 1e1000 ; 1e-1000`,
  date: `'2000-01-01' ; '1999-12-31' ; '2024-02-29' ; '1900-03-01' ; '0001-01-01' ; '0001-12-31 BC' ; '4713-01-01 BC' ;
    '5874897-12-31' ; '10000-01-01' ; 'infinity' ; '-infinity' ; '1600-02-29'`,
  time: `'00:00' ; '24:00' ; '23:59:59.999999' ; '01:02:03.040'`,
  timetz: `'01:02:03.5+02' ; '01:02:03-05:30' ; '00:00+00' ; '12:00:00+03:15:20'`,
  timestamp: `'2000-01-01 00:00' ; '1999-12-31 23:59:59.5' ; '0044-03-15 12:00 BC' ; '294276-12-31 23:59:59.999999' ; 'infinity' ;
    '-infinity' ; '4713-01-01 00:00:00 BC' ; '1969-12-31 23:59:59.000001'`,
  timestamptz: `'2024-06-01 12:00+02' ; 'infinity' ; '1066-10-14 09:00+00' ; '0001-01-01 00:00+00 BC'`,
  interval: `'0' ; '1 year 2 mons 3 days 04:05:06.789' ; '-1 year' ; '1 mon -1 day' ; '-1 mon +1 day' ; '-1 day +01:00' ;
    '-00:00:00.000001' ; '1 year -1 mon' ; '-13 mons 1 sec' ; '100000:00:00' ; 'infinity' ; '-infinity' ; '1 day -00:00:01'`,
  inet: `'192.168.0.1' ; '192.168.0.1/24' ; '0.0.0.0/0' ; '::' ; '::1' ; '::1.2.3.4' ; '::ffff:1.2.3.4/96' ; '2001:db8::1' ;
    '2001:db8:0:0:1:0:0:1/64' ; 'fe80:1:2:3:4:5:6:7' ; '1:0:2::' ; '::2:1' ; '::ffff:0:0' ; '1:2:3:4:5:6:7:0'`,
  cidr: `'10.0.0.0/8' ; '10.1.2.3/32' ; '2001:db8::/32' ; '::/0' ; '2001:db8::1/128'`,
  macaddr: `'08:00:2b:01:02:03'`,
  macaddr8: `'08:00:2b:01:02:03:04:05'`,
  'bit(10)': `B'1010101011'`,
  varbit: `B'' ; B'1' ; B'101010101'`,
  'int4[]': `'{}' ; '{1,NULL,3}' ; '{{1,2},{3,4}}' ; '[0:1]={7,8}' ; '[-1:0][2:3]={{1,2},{3,4}}'`,
  'text[]': String.raw`array['', 'null', 'NULL', 'a b', 'a,b', 'q"q', E'b\\s', '{x}', 'plain', null, E'tab\t', 'ü']`,
  'float8[]': `array[0.1, 1e300, 'NaN']`,
  'timestamp[]': `array['2024-01-01 00:00'::timestamp]`,
  'bool[]': 'array[true, false]',
  'bytea[]': String.raw`array['\x00'::bytea]`,
  'numeric[]': 'array[1.50, -2]',
  'uuid[]': `array['0191b2c3-d4e5-76f7-8899-aabbccddeeff'::uuid]`,
  'jsonb[]': `array['{"a":1}'::jsonb]`,
  'interval[]': `array['1 day'::interval]`,
  'inet[]': `array['::1'::inet]`,
  'int2[]': 'array[1::int2]',
  'int8[]': 'array[1::int8]',
}

const raw: CustomTypesConfig = { getTypeParser: () => (value: unknown) => value }

describe('binary values', () => {
  let server: TestPostgres
  let client: Client

  beforeAll(async () => {
    server = await startPostgres({ settings: { timezone: 'UTC' } })
    client = new Client({ ...server, types: raw })
    await client.connect()
  })
  afterAll(async () => {
    await client.end()
    await server.stop()
  })

  /** Values of a type: what its send function gives, decoded here, and what PostgreSQL prints itself. */
  const both = async (type: string, from: string) => {
    const described = await client.query<[string, string]>({
      text: `select oid, typsend from pg_type where oid = '${type}'::regtype`,
      rowMode: 'array',
    })
    const [oid, send] = described.rows[0] ?? []
    const { rows } = await client.query<[string, string]>({
      text: `select encode(${send}(v), 'hex'), v from (${from}) x(v)`,
      rowMode: 'array',
    })
    return {
      decoded: rows.map(([hex]) => decodeBinary(Buffer.from(hex, 'hex'), Number(oid))),
      printed: rows.map(([, text]) => text),
    }
  }

  it.for(Object.entries(values))(
    'are printed as PostgreSQL prints them: %s',
    async ([type, list]) => {
      const expressions = list.split(/\s;\s+/).map((value) => `select ${value}::${type}`)
      const { decoded, printed } = await both(type, expressions.join(' union all '))
      expect(decoded).toEqual(printed)
      expect(decoded).toHaveLength(expressions.length)
    },
  )

  it.for([
    [
      'float8',
      [
        'random()',
        'random() * 1e17',
        'exp(random() * 1400 - 700)',
        'power(2, floor(random() * 140))',
      ],
    ],
    [
      'float4',
      ['random()', 'random() * 1e8', 'exp(random() * 170 - 85)', 'power(2, floor(random() * 120))'],
    ],
  ] as const)('agree on thousands of random values of %s', async ([type, expressions]) => {
    const list = expressions.map((expression) => `(${expression})::${type}`).join(', ')
    const from = `select unnest(array[${list}]) from generate_series(1, 2000)`
    const { decoded, printed } = await both(type, from)
    expect(decoded).toHaveLength(8000)
    expect(decoded).toEqual(printed)
  })

  it('agree on days of ten thousand years', async () => {
    const days = `select '0800-01-01 BC'::date + n * 359 from generate_series(0, 11000) n`
    const { decoded, printed } = await both('date', days)
    expect(decoded).toHaveLength(11_001)
    expect(decoded).toEqual(printed)
  })
})
