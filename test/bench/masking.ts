import { detectors } from '#core/masking/detectors/index.ts'
import { customDetector } from '#core/masking/detectors/custom.ts'
import { foundMask, type MaskFound } from '#core/masking/found-value.ts'
import { hashKey, type Method } from '#core/masking/method.ts'
import { openScanner } from '#core/masking/scanner.ts'
import { valueMask } from '#core/masking/typed-value.ts'
import type { Detector } from '#core/masking/detector.ts'
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
const measure = (
  { bytes, ends }: Values,
  mask: (start: number, end: number) => unknown,
): number => {
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
  void bytes
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

const run = (): Promise<readonly Row[]> => {
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
  return Promise.resolve(
    measured.map((row, index) =>
      index === 0
        ? row
        : Object.assign(row, { reference, ratio: row.per_second / measured[0]!.per_second }),
    ),
  )
}

export const bench: Bench = { name: 'masking: values a second of one core', run }
