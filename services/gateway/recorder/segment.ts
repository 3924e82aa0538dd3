import { crc32 } from 'node:zlib'

/**
 * A journal segment: one preallocated file of records, as they will go to the log. All integers little-endian.
 *
 *     segment  = head, { frame }, rest
 *     head     = "CAIRNJ01", salt u32, 0 u32, number u64, epoch 16, gateway 16, crc32 of the 56 bytes before u32,
 *                zeros up to 4096
 *     frame    = salt u32, crc u32, value_bytes u32, position u32, gseq u64,
 *                flags u8, topic u8, key_bytes u8, code_bytes u8, header_bytes u16, 0 u16,
 *                key, code, header, value, zeros up to a multiple of 8
 *     rest     = anything: zeros, or what stood in the file when it was an older segment
 *
 * `crc` is the CRC-32 of the frame from `value_bytes` to the end of `value`, begun with the salt. `salt` is random and different in
 * each segment and `position` is the frame's offset in the file divided by 8, so that nothing else can pass for a frame: neither
 * what an older segment left behind in the file nor bytes that a client placed in a value.
 *
 * Frames are written in groups: one write and one sync, and only after the group before is durable. The first frame of a
 * group has flag 1. Hence a bad frame before a good frame *with that flag* is damage to what was durable; a bad frame with
 * no such frame behind it is the torn tail of the last group, which nobody was told about.
 */

export const segment_head_bytes = 4096
export const frame_fixed_bytes = 32
export const frame_align_bytes = 8
/** Flag of a frame that begins a group. */
export const group_first = 1

const magic = 'CAIRNJ01'
const head_crc_at = 56

/** Topics by their number in a frame; the order is for ever, new ones go to the end. */
export const frame_topics = [
  'cairn.audit',
  'cairn.approvals',
  'cairn.alerts',
  'cairn.seals',
  'cairn.notary',
  'cairn.tokens',
] as const

export const topicNumber = (topic: string): number => {
  const number = (frame_topics as readonly string[]).indexOf(topic)
  if (number === -1) throw new TypeError(`the journal knows no topic ${topic}`)
  return number
}

export type SegmentHead = {
  readonly number: number
  /** Never 0: zeros must not look like a frame. */
  readonly salt: number
  readonly epoch: Buffer
  readonly gateway: Buffer
}

export const encodeHead = (head: SegmentHead): Buffer => {
  const bytes = Buffer.alloc(segment_head_bytes)
  bytes.write(magic, 0, 'latin1')
  bytes.writeUInt32LE(head.salt, 8)
  bytes.writeBigUInt64LE(BigInt(head.number), 16)
  head.epoch.copy(bytes, 24, 0, 16)
  head.gateway.copy(bytes, 40, 0, 16)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, head_crc_at)), head_crc_at)
  return bytes
}

/** Reads a head; null if these bytes are none. */
export const decodeHead = (bytes: Buffer): SegmentHead | null => {
  if (bytes.length < head_crc_at + 4 || bytes.toString('latin1', 0, 8) !== magic) return null
  if (crc32(bytes.subarray(0, head_crc_at)) !== bytes.readUInt32LE(head_crc_at)) return null
  return {
    number: Number(bytes.readBigUInt64LE(16)),
    salt: bytes.readUInt32LE(8),
    epoch: Buffer.from(bytes.subarray(24, 40)),
    gateway: Buffer.from(bytes.subarray(40, 56)),
  }
}

/** Bytes that a frame takes in the file. */
export const frameBytes = (
  key_bytes: number,
  code_bytes: number,
  header_bytes: number,
  value_bytes: number,
): number =>
  (frame_fixed_bytes + key_bytes + code_bytes + header_bytes + value_bytes + 7) &
  ~(frame_align_bytes - 1)

/** What a frame is made of; `gseq` stands in the header too, here it can be read without decoding. */
export type FrameParts = {
  gseq: number
  topic: number
  key: Buffer
  code: Buffer
  /** The header is `header_bytes` bytes of `header` from `header_at`. */
  header: Buffer
  header_at: number
  header_bytes: number
  /** The value is the first `value_bytes` bytes of `value`. */
  value: Buffer
  value_bytes: number
}

/**
 * Writes a frame into `target` at `at` and returns where it ends. `offset` is its place in the file, a multiple of 8.
 * The caller has made room (`frameBytes`).
 */
export const writeFrame = (
  target: Buffer,
  at: number,
  salt: number,
  offset: number,
  flags: number,
  parts: FrameParts,
): number => {
  const { key, code, header, header_at, header_bytes, value, value_bytes, gseq } = parts
  target.writeUInt32LE(salt, at)
  target.writeUInt32LE(value_bytes, at + 8)
  target.writeUInt32LE(offset / frame_align_bytes, at + 12)
  target.writeUInt32LE(gseq >>> 0, at + 16)
  target.writeUInt32LE(Math.floor(gseq / 0x1_0000_0000), at + 20)
  target[at + 24] = flags
  target[at + 25] = parts.topic
  target[at + 26] = key.length
  target[at + 27] = code.length
  target.writeUInt32LE(header_bytes, at + 28)
  let end = at + frame_fixed_bytes
  end += key.copy(target, end)
  end += code.copy(target, end)
  end += header.copy(target, end, header_at, header_at + header_bytes)
  end += value.copy(target, end, 0, value_bytes)
  target.writeUInt32LE(crc32(target.subarray(at + 8, end), salt), at + 4)
  while (end % frame_align_bytes !== at % frame_align_bytes) target[end++] = 0
  return end
}

/** A frame as read; buffers are views of what it was read from. */
export type Frame = {
  readonly gseq: number
  readonly first: boolean
  readonly topic: string
  readonly key: Buffer
  readonly code: Buffer
  readonly header: Buffer
  readonly value: Buffer
}

/**
 * Length in the file that the frame at `at` claims to have, or 0 if no frame of this segment stands here. Needs
 * `frame_fixed_bytes` bytes; says nothing about the rest.
 */
export const claimedFrameBytes = (
  bytes: Buffer,
  at: number,
  salt: number,
  offset: number,
): number => {
  if (bytes.readUInt32LE(at) !== salt) return 0
  if (bytes.readUInt32LE(at + 12) !== offset / frame_align_bytes) return 0
  return frameBytes(
    bytes[at + 26]!,
    bytes[at + 27]!,
    bytes.readUInt16LE(at + 28),
    bytes.readUInt32LE(at + 8),
  )
}

/** Reads the frame at `at`, of which all claimed bytes are there; null if its checksum or topic is not right. */
export const readFrame = (bytes: Buffer, at: number, salt: number): Frame | null => {
  const key_at = at + frame_fixed_bytes
  const code_at = key_at + bytes[at + 26]!
  const header_at = code_at + bytes[at + 27]!
  const value_at = header_at + bytes.readUInt16LE(at + 28)
  const end = value_at + bytes.readUInt32LE(at + 8)
  if (crc32(bytes.subarray(at + 8, end), salt) !== bytes.readUInt32LE(at + 4)) return null
  const topic = frame_topics[bytes[at + 25]!]
  if (topic === undefined) return null
  return {
    gseq: bytes.readUInt32LE(at + 16) + bytes.readUInt32LE(at + 20) * 0x1_0000_0000,
    first: (bytes[at + 24]! & group_first) !== 0,
    topic,
    key: bytes.subarray(key_at, code_at),
    code: bytes.subarray(code_at, header_at),
    header: bytes.subarray(header_at, value_at),
    value: bytes.subarray(value_at, end),
  }
}

/** File name of a segment; sorts by number. */
export const segmentName = (number: number): string =>
  `segment-${String(number).padStart(12, '0')}.journal`

/** Number in a segment's file name, or null for another file. */
export const segmentNumber = (name: string): number | null => {
  const digits = /^segment-(\d{12})\.journal$/.exec(name)?.[1]
  return digits === undefined ? null : Number(digits)
}

/** A place in the journal: between two frames. */
export type JournalPosition = { readonly segment: number; readonly offset: number }

export const isBefore = (a: JournalPosition, b: JournalPosition): boolean =>
  a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset)

/** A position as one 64-bit number, for shared memory: segment in the upper 28 bits, offset in the lower 36. */
export const packPosition = ({ segment, offset }: JournalPosition): bigint =>
  (BigInt(segment) << 36n) | BigInt(offset)

export const unpackPosition = (packed: bigint): JournalPosition => ({
  segment: Number(packed >> 36n),
  offset: Number(packed & 0xf_ffff_ffffn),
})
