import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { JournalPosition } from './segment.ts'

/**
 * How far the journal is in the log: a file of two slots, written in turn, so that one is always whole.
 *
 *     position = slot, slot
 *     slot     = turn u64, segment u64, offset u64, crc32 of the 24 bytes before u32, zeros up to 64
 *
 * Written after the log's acknowledgement and not synced: a power failure may bring back an older position, then records are
 * shipped twice, and consumers know them by (gateway, epoch, gseq, leaf). It is never ahead of the log.
 */
const slot_bytes = 64

export interface ShipPosition extends Disposable {
  /** What was found when it was opened; null if nothing. */
  readonly found: JournalPosition | null
  readonly write: (position: JournalPosition) => void
}

const readSlot = (bytes: Buffer): { turn: number; position: JournalPosition } | null => {
  if (bytes.length < 28 || crc32(bytes.subarray(0, 24), 1) !== bytes.readUInt32LE(24)) return null
  return {
    turn: Number(bytes.readBigUInt64LE(0)),
    position: {
      segment: Number(bytes.readBigUInt64LE(8)),
      offset: Number(bytes.readBigUInt64LE(16)),
    },
  }
}

/** Opens the position file of a journal's folder. @throws the file system's error */
export const openShipPosition = (folder: string): ShipPosition => {
  const fd = openSync(join(folder, 'position'), constants.O_RDWR | constants.O_CREAT, 0o600)
  const bytes = Buffer.alloc(2 * slot_bytes)
  const got = readSync(fd, bytes, 0, bytes.length, 0)
  const slots = [0, 1].flatMap((index) => {
    const from = index * slot_bytes
    return readSlot(bytes.subarray(Math.min(from, got), Math.min(from + slot_bytes, got))) ?? []
  })
  const newest = slots.sort((a, b) => b.turn - a.turn)[0]
  let turn = newest?.turn ?? 0
  // Its blocks are taken now: on a full disk it can still be written.
  if (got < bytes.length) writeSync(fd, bytes, 0, bytes.length, 0)
  const slot = Buffer.alloc(slot_bytes)
  return {
    found: newest?.position ?? null,
    write: (position) => {
      turn++
      slot.writeBigUInt64LE(BigInt(turn), 0)
      slot.writeBigUInt64LE(BigInt(position.segment), 8)
      slot.writeBigUInt64LE(BigInt(position.offset), 16)
      slot.writeUInt32LE(crc32(slot.subarray(0, 24), 1), 24)
      writeSync(fd, slot, 0, slot_bytes, (turn % 2) * slot_bytes)
    },
    [Symbol.dispose]: () => closeSync(fd),
  }
}
