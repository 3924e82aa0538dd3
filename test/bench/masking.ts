import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { detectors } from '#core/masking/detectors/index.ts'
import { customDetector } from '#core/masking/detectors/custom.ts'
import { foundMask, type MaskFound } from '#core/masking/found-value.ts'
import { hashKey, type Method } from '#core/masking/method.ts'
import { openScanner } from '#core/masking/scanner.ts'
import { valueMask } from '#core/masking/typed-value.ts'
import type { Detector } from '#core/masking/detector.ts'
import { startCairn } from '../support/cairn.ts'
import { localIssuer } from '../support/issuer.ts'
import { startPostgres } from '../support/postgres.ts'
import type { Bench, Row } from './row.ts'

/** Values a second of one core: rows like those of a table of customers, several values each, back to back in one buffer as on the wire. */
const warm_ms = 300
const measured_ms = 1000
const rows_count = 1000
const text_oid = 25

type Values = { readonly bytes: Buffer; readonly ends: readonly number[] }

const rows = (columns: (row: number) => readonly string[]): Values => {
  const values = Array.from({ length: rows_count }, (_, row) => columns(row)).flat()
  const ends: number[] = []
  let end = 0
  for (const value of values) ends.push((end += Buffer.byteLength(value)))
  return { bytes: Buffer.from(values.join('')), ends }
}

const digits = (row: number, count: number): string =>
  String((row * 7919 + 1013) % 10 ** count).padStart(count, '0')

/** A card number: its last digit makes Luhn's sum right. */
const cardNumber = (row: number): string => {
  const body = `411111${digits(row, 9)}`
  let sum = 0
  for (let i = 0; i < 15; i++) {
    const digit = Number(body[i])
    sum += i % 2 === 0 ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit
  }
  return `${body}${(10 - (sum % 10)) % 10}`
}

const customers = rows((row) => [
  `customer ${row} of the shop`,
  `user${row}@mail.example.com`,
  cardNumber(row),
  `078-${digits(row, 2)}-${digits(row + 1, 4)}`,
  `note ${row}: prefers to be called in the morning, pays late`,
])
const clean = rows((row) => [
  `customer ${row} of the shop`,
  'Main Street 12',
  `order-${digits(row, 6)}`,
  'paid',
  `note ${row}: prefers to be called in the morning, pays late`,
])

/** Values a second. */
const measure = ({ ends }: Values, mask: (start: number, end: number) => unknown): number => {
  const run = (duration_ms: number): number => {
    const started = performance.now()
    let passes = 0
    let now = started
    while (now - started < duration_ms) {
      let start = 0
      for (const end of ends) {
        mask(start, end)
        start = end
      }
      passes++
      now = performance.now()
    }
    return (passes * ends.length * 1000) / (now - started)
  }
  run(warm_ms)
  return run(measured_ms)
}

const finder = (list: readonly Detector[], method: Method): MaskFound =>
  foundMask(
    openScanner(list),
    list.map(({ name }) => ({ rule: name, method })),
    text_oid,
    false,
    () => undefined,
  )!

const detectorRows = (): readonly Row[] => {
  const three = ['email', 'card', 'us_ssn'].map((name) => detectors.get(name)!)
  const all = [...detectors.values()]
  const custom = customDetector({ name: 'badge', re2: String.raw`\bEMP-\d{4}\b`, literal: 'EMP-' })
  const redact: Method = { kind: 'redact' }
  const hash: Method = { kind: 'hash', key: hashKey(Buffer.from('a key')) }
  const found = (values: Values, mask: MaskFound): number =>
    measure(values, (start, end) => mask(values.bytes, start, end))
  const column = (method: Method): number => {
    const mask = valueMask(method, text_oid, false)
    return measure(customers, (start, end) => mask(customers.bytes.subarray(start, end)))
  }
  const reference = 'three detectors, 3 of 5 values masked'
  const cases: readonly (readonly [string, () => number])[] = [
    [reference, () => found(customers, finder(three, redact))],
    ['three detectors, nothing to mask', () => found(clean, finder(three, redact))],
    ['all detectors, 3 of 5 values masked', () => found(customers, finder(all, redact))],
    ['all detectors, nothing to mask', () => found(clean, finder(all, redact))],
    ['three detectors, keyed hash', () => found(customers, finder(three, hash))],
    ['a custom detector, nothing to mask', () => found(clean, finder([custom], redact))],
    ['column, redact', () => column(redact)],
    ['column, keyed hash', () => column(hash)],
  ]
  const measured = cases.map(([name, measured_rate]) => ({
    case: name,
    unit: 'values/s',
    per_second: measured_rate(),
  }))
  return measured.map((row, index) =>
    index === 0
      ? row
      : Object.assign(row, { reference, ratio: row.per_second / measured[0]!.per_second }),
  )
}

const select_seconds = Number(process.env['CAIRN_BENCH_SECONDS'] ?? 4)
const select_rounds = 3
const select = 'select id, name, email, card, ssn from customers'
const select_values = 5 * rows_count

const table = `create table customers as select i as id, 'customer ' || i || ' of the shop' as name, 'user' || i || '@mail.example.com' as email,
  '4000056655665556' as card, '078-' || lpad((i % 90 + 10)::text, 2, '0') || '-' || lpad((i % 9000 + 1)::text, 4, '0') as ssn
  from generate_series(1, ${rows_count}) i`

/** Roles of one gateway at one target, each with what is masked for it. */
const roles = [
  { name: 'plain', what: 'nothing masked' },
  { name: 'found', what: 'three detectors, 3 of 5 values masked' },
  { name: 'columns', what: 'three columns masked' },
  { name: 'hashed', what: 'three columns hashed' },
] as const

const column_names = ['customers.email', 'customers.card', 'customers.ssn']

const masking = {
  hash_key: 'a key of the bench',
  rules: [
    { name: 'found', detectors: ['email', 'card', 'us_ssn'], roles: ['found'] },
    { name: 'columns', columns: column_names, roles: ['columns'] },
    { name: 'hashed', columns: column_names, method: 'hash', roles: ['hashed'] },
  ],
}

type Selects = { readonly tps: number; readonly cpu_us: number }

/** Ticks of a process so far, user and system (Linux; 1/100 s). */
const cpuTicks = async (pids: readonly number[]): Promise<number> => {
  let ticks = 0
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks
}

const selects = async (
  env: NodeJS.ProcessEnv,
  pids: readonly number[],
  folder: string,
): Promise<Selects> => {
  const file = join(folder, 'select.sql')
  await writeFile(file, `${select};\n`)
  const before = await cpuTicks(pids)
  const { stdout } = await promisify(execFile)(
    'pgbench',
    ['-n', '-f', file, '-c', '4', '-j', '1', '-T', String(select_seconds)],
    { env: { ...process.env, ...env } },
  )
  const cpu_s = ((await cpuTicks(pids)) - before) / 100
  const tps = Number(/tps = ([\d.]+) \(without initial/.exec(stdout)?.[1])
  const count = Number(/transactions actually processed: (\d+)/.exec(stdout)?.[1])
  return { tps, cpu_us: (cpu_s / count) * 1e6 }
}

const median = (list: readonly Selects[]): Selects =>
  list.toSorted((a, b) => a.tps - b.tps)[Math.floor(list.length / 2)]!

/** Selects of 1,000 rows of five columns by four clients of one gateway: nothing masked and three kinds of values masked, in turn. */
const selectRows = async (): Promise<readonly Row[]> => {
  await using postgres = await startPostgres()
  await using issuer = await localIssuer('github')
  const direct = new pg.Client({ connectionString: postgres.url })
  await direct.connect()
  await direct.query(table)
  await direct.end()
  await using cairn = await startCairn({
    services: ['gateway'],
    config: {
      deployment: 'bench',
      listeners: { postgres: { cleartext: 'loopback' } },
      issuers: [issuer.config('ci')],
      credentials: [{ name: 'bench', user: postgres.user, password: postgres.password }],
      targets: [
        {
          name: 'bench',
          host: postgres.host,
          port: postgres.port,
          tls: { mode: 'disable' },
          default_database: postgres.database,
          roles: roles.map(({ name }) => ({ name, credential: 'bench', sessions_per_token: 1000 })),
        },
      ],
      policies: [{ name: 'bench', effect: 'allow' }],
      masking,
    },
  })
  const pids = [...(await cairn.processes()).values()]
  const folder = await mkdtemp(join(tmpdir(), 'cairn-masking-'))
  const seen = new Map<string, Selects[]>(roles.map(({ name }) => [name, []]))
  for (let round = 0; round <= select_rounds; round++)
    for (const { name } of roles) {
      process.stderr.write(`1,000 rows, ${name}\n`)
      const measured = await selects(
        {
          PGHOST: '127.0.0.1',
          PGPORT: String(cairn.ports['postgres']),
          PGUSER: name,
          PGDATABASE: 'bench',
          PGPASSWORD: await issuer.token({}),
          PGSSLMODE: 'disable',
        },
        pids,
        folder,
      )
      // The first round warms up.
      if (round > 0) seen.get(name)?.push(measured)
    }
  await rm(folder, { recursive: true, force: true })
  const plain = median(seen.get('plain')!)
  return roles.map(({ name, what }): Row => {
    const { tps, cpu_us } = median(seen.get(name)!)
    const row = {
      case: `1,000 rows of 5 columns, ${what}`,
      unit: 'selects/s',
      per_second: tps,
      figures: { cpu_us, values_per_second: tps * select_values },
    }
    if (name === 'plain') return row
    return {
      ...row,
      reference: `1,000 rows of 5 columns, ${roles[0].what}`,
      ratio: tps / plain.tps,
    }
  })
}

export const bench: Bench = {
  name: 'masking: values of one core, and selects through a gateway',
  run: async () => [...detectorRows(), ...(await selectRows())],
}
