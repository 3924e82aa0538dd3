import { hash } from 'node:crypto'
import { headerCodes } from './catalogue.ts'
import type { EventCode } from './types.ts'
import { readNatural, varint_bytes_max, writeNatural } from './varint.ts'

/**
 * The record header: the leaf of the gateway's log (schemas/record-header.avsc). Written by hand,
 * because it is on the path of every record and because its reader must accept one form only; a
 * property test holds it equal to avsc's encoding of the schema.
 *
 *     header = gateway(16) epoch(16) gseq session(32) sseq sprev(32) code wall_us mono_ns schema(32) value(32) value_bytes
 *
 * Fixed fields stand as they are, the others are Avro longs of 0 or more (code: index of the enum's
 * symbol).
 */
export type RecordHeader = {
  /** First 16 bytes of SHA-256 over the gateway's name. */
  readonly gateway: Buffer
  /** 16 random bytes per process start. */
  readonly epoch: Buffer
  readonly gseq: number
  /** 32 bytes; all zero in session.started itself and in records without a session. */
  readonly session: Buffer
  readonly sseq: number
  /** Leaf hash of the session's previous record; all zero for the first. */
  readonly sprev: Buffer
  readonly code: EventCode
  readonly wall_us: number
  /** Nanoseconds since the epoch opened; under 2^53, which is 104 days. */
  readonly mono_ns: number
  /** SHA-256 of the writer schema's full JSON. */
  readonly schema: Buffer
  /** SHA-256 of the value's bytes as stored. */
  readonly value: Buffer
  readonly value_bytes: number
}

export type DecodedHeader =
  | { readonly ok: true; readonly header: RecordHeader }
  | { readonly ok: false; readonly detail: string }

const id_bytes = 16
export const hash_bytes = 32

/** Upper bound of an encoded header, bytes. */
export const header_bytes_max = 2 * id_bytes + 4 * hash_bytes + 6 * varint_bytes_max

const indexes = new Map(headerCodes.map((code, index) => [code, index]))

/** 32 zero bytes: no session, no previous record. Not to be written to. */
export const zero_hash: Buffer = Buffer.alloc(hash_bytes)

const writeFixed = (target: Buffer, at: number, source: Buffer, bytes: number): number => {
  if (source.length !== bytes) throw new RangeError(`expected ${bytes} bytes, got ${source.length}`)
  target.set(source, at)
  return at + bytes
}

/**
 * Writes a header at `at` and returns the place behind it; the target needs `header_bytes_max`
 * bytes of room. Throws RangeError for a field of the wrong size or a number out of range.
 */
export const encodeHeaderInto = (target: Buffer, at: number, header: RecordHeader): number => {
  const code = indexes.get(header.code)
  if (code === undefined) throw new RangeError(`unknown event code ${header.code}`)
  let place = writeFixed(target, at, header.gateway, id_bytes)
  place = writeFixed(target, place, header.epoch, id_bytes)
  place = writeNatural(target, place, header.gseq)
  place = writeFixed(target, place, header.session, hash_bytes)
  place = writeNatural(target, place, header.sseq)
  place = writeFixed(target, place, header.sprev, hash_bytes)
  place = writeNatural(target, place, code)
  place = writeNatural(target, place, header.wall_us)
  place = writeNatural(target, place, header.mono_ns)
  place = writeFixed(target, place, header.schema, hash_bytes)
  place = writeFixed(target, place, header.value, hash_bytes)
  return writeNatural(target, place, header.value_bytes)
}

const scratch = Buffer.alloc(header_bytes_max)

/** The header's bytes, in memory of their own. Throws RangeError as `encodeHeaderInto`. */
export const encodeHeader = (header: RecordHeader): Buffer =>
  Buffer.from(scratch.subarray(0, encodeHeaderInto(scratch, 0, header)))

/**
 * Reads a header, strictly: exactly the bytes that `encodeHeader` writes for it and nothing behind
 * them, so that two different byte strings are never the same header. The buffers in the result are
 * the header's own.
 */
export const decodeHeader = (bytes: Buffer): DecodedHeader => {
  if (bytes.length > header_bytes_max) return { ok: false, detail: 'longer than a header can be' }
  const own = Buffer.from(bytes)
  let place = 0
  let broken = ''
  const fixed = (name: string, size: number): Buffer => {
    const field = own.subarray(place, place + size)
    if (field.length < size) broken ||= `cut off in ${name}`
    place += size
    return field
  }
  const natural = (name: string): number => {
    const read = readNatural(own, place)
    if (read === null)
      broken ||= `${name} is cut off, negative, too large or not in its shortest form`
    place = read?.next ?? own.length
    return read?.value ?? 0
  }
  const gateway = fixed('gateway', id_bytes)
  const epoch = fixed('epoch', id_bytes)
  const gseq = natural('gseq')
  const session = fixed('session', hash_bytes)
  const sseq = natural('sseq')
  const sprev = fixed('sprev', hash_bytes)
  const code = headerCodes[natural('code')]
  const wall_us = natural('wall_us')
  const mono_ns = natural('mono_ns')
  const schema = fixed('schema', hash_bytes)
  const value = fixed('value', hash_bytes)
  const value_bytes = natural('value_bytes')
  if (broken !== '') return { ok: false, detail: broken }
  if (code === undefined) return { ok: false, detail: 'unknown code' }
  if (place !== own.length) return { ok: false, detail: 'bytes behind the header' }
  return {
    ok: true,
    header: {
      gateway,
      epoch,
      gseq,
      session,
      sseq,
      sprev,
      code,
      wall_us,
      mono_ns,
      schema,
      value,
      value_bytes,
    },
  }
}

const leafInput = Buffer.alloc(1 + header_bytes_max)

/**
 * Leaf hash of a header: SHA-256(0x00 || header), RFC 6962 section 2.1. Throws RangeError for more
 * than `header_bytes_max` bytes.
 */
export const leafHash = (headerBytes: Buffer): Buffer => {
  if (headerBytes.length > header_bytes_max) throw new RangeError('longer than a header can be')
  leafInput.set(headerBytes, 1)
  return hash('sha256', leafInput.subarray(0, 1 + headerBytes.length), 'buffer')
}

/** SHA-256 of a value's bytes as stored. */
export const valueHash = (value: Buffer): Buffer => hash('sha256', value, 'buffer')
