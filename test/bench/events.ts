import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { avroType } from '#core/events/avro.ts'
import { catalogue } from '#core/events/catalogue.ts'
import {
  createValueBuffer,
  decodeValue,
  encodeContext,
  encodeValue,
  encodeValueInto,
} from '#core/events/codec.ts'
import { encodeHeader, leafHash, valueHash, type RecordHeader } from '#core/events/header.ts'
import { eventJson } from '#core/events/json.ts'
import { sample_time_us, sampleContext, samples } from '../core/events/samples.ts'
import type { Bench, Row } from './row.ts'

/**
 * Each case runs this long, after a tenth of it to warm up, in rounds between the cases so that all
 * see the same machine.
 */
const case_ms = 1_000
const rounds = 5
const calls_per_look = 200

type Case = { readonly name: string; readonly call: () => unknown; readonly reference?: string }

const callsPerSecond = (call: () => unknown, ms: number): number => {
  const start = performance.now()
  let calls = 0
  let now = start
  while (now - start < ms) {
    for (let i = 0; i < calls_per_look; i++) call()
    calls += calls_per_look
    now = performance.now()
  }
  return (calls * 1_000) / (now - start)
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** Measures the cases side by side: round after round, the median of each. */
const measure = (cases: readonly Case[]): readonly Row[] => {
  for (const { call } of cases) callsPerSecond(call, case_ms / 10)
  const seen = new Map<string, number[]>(cases.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (const { name, call } of cases) seen.get(name)?.push(callsPerSecond(call, case_ms / rounds))
  const speed = (name: string): number => median(seen.get(name) ?? [])
  return cases.map(({ name, reference }) => ({
    case: name,
    per_second: speed(name),
    ...(reference === undefined ? {} : { reference, ratio: speed(name) / speed(reference) }),
  }))
}

const type = 'command.received'
const body = samples[type]

const values = (): readonly Case[] => {
  const whole = avroType(JSON.parse(catalogue[type].schema))
  const event = { time: sample_time_us, context: sampleContext, ...body }
  const contextBytes = encodeContext(sampleContext)
  const target = createValueBuffer()
  const value = encodeValue(type, sample_time_us, contextBytes, body)
  const reference = 'command.received: avsc, whole record'
  return [
    { name: reference, call: () => whole.toBuffer(event) },
    {
      name: 'command.received: spliced context',
      call: () => encodeValue(type, sample_time_us, contextBytes, body),
      reference,
    },
    {
      name: 'command.received: spliced context, reused buffer',
      call: () => {
        target.length = 0
        return encodeValueInto(target, type, sample_time_us, contextBytes, body)
      },
      reference,
    },
    {
      name: 'command.received: JSON.stringify',
      call: () => Buffer.from(JSON.stringify(eventJson(type, event))),
      reference,
    },
    { name: 'command.received: decode', call: () => decodeValue(value), reference },
  ]
}

const hashes = (bytes: number): readonly Case[] => {
  const value = Buffer.alloc(bytes, 0x61)
  const reference = `SHA-256 of ${bytes} B: createHash`
  return [
    { name: reference, call: () => createHash('sha256').update(value).digest() },
    { name: `SHA-256 of ${bytes} B: one-shot`, call: () => valueHash(value), reference },
  ]
}

const headers = async (): Promise<readonly Case[]> => {
  const file = new URL('../../schemas/record-header.avsc', import.meta.url)
  const schema = avroType(JSON.parse(await readFile(file, 'utf8')))
  const header: RecordHeader = {
    gateway: Buffer.alloc(16, 1),
    epoch: Buffer.alloc(16, 2),
    gseq: 123_456,
    session: Buffer.alloc(32, 3),
    sseq: 77,
    sprev: Buffer.alloc(32, 4),
    code: 'CRN1200I',
    wall_us: sample_time_us,
    mono_ns: 81_000_000_001,
    schema: catalogue[type].schemaHash,
    value: Buffer.alloc(32, 5),
    value_bytes: 900,
  }
  const bytes = encodeHeader(header)
  const reference = 'record header: avsc'
  return [
    { name: reference, call: () => schema.toBuffer(header) },
    { name: 'record header: by hand', call: () => encodeHeader(header), reference },
    { name: 'leaf hash', call: () => leafHash(bytes), reference },
  ]
}

export const bench: Bench = {
  name: 'events: encoding and hashing',
  run: async () => [
    ...measure(values()),
    ...measure(await headers()),
    ...measure(hashes(200)),
    ...measure(hashes(16_384)),
  ],
}
