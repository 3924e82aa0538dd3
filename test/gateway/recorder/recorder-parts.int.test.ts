import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hash } from 'node:crypto'
import { secretOf } from '#lib/config/secret.ts'
import { openSystemClock } from '../../../services/gateway/recorder/clock.ts'
import { packSecrets, unpackSecrets } from '../../../services/gateway/recorder/secret-clone.ts'
import { openShipLag } from '../../../services/gateway/recorder/ship-lag.ts'
import { openShipPosition } from '../../../services/gateway/recorder/ship-position.ts'
import {
  decodeHead,
  encodeHead,
  isBefore,
  packPosition,
  segmentName,
  segmentNumber,
  topicNumber,
  unpackPosition,
} from '../../../services/gateway/recorder/segment.ts'
import { readLog, recorderOptions, temporaryFolder } from './recorder-support.ts'
import { openRecorder } from '../../../services/gateway/recorder/recorder.ts'

test('the position survives a torn write of its newest slot', async () => {
  await using folder = await temporaryFolder()
  {
    using position = openShipPosition(folder.path)
    expect(position.found).toBeNull()
    for (let offset = 1; offset <= 5; offset++) position.write({ segment: 2, offset })
  }
  {
    using position = openShipPosition(folder.path)
    expect(position.found).toEqual({ segment: 2, offset: 5 })
  }
  // Turn 5 stands in the second slot.
  await truncate(join(folder.path, 'position'), 64 + 20)
  using position = openShipPosition(folder.path)
  expect(position.found).toEqual({ segment: 2, offset: 4 })
  position.write({ segment: 3, offset: 6 })
  await writeFile(join(folder.path, 'other'), '')
  using again = openShipPosition(folder.path)
  expect(again.found).toEqual({ segment: 3, offset: 6 })
})

test('positions keep their order as one number', () => {
  const positions = [
    { segment: 0, offset: 0 },
    { segment: 1, offset: 2 ** 36 - 1 },
    { segment: 2, offset: 4096 },
    { segment: 2 ** 27, offset: 5 },
  ]
  for (const [index, position] of positions.entries()) {
    expect(unpackPosition(packPosition(position))).toEqual(position)
    const next = positions[index + 1]
    if (next === undefined) continue
    expect(isBefore(position, next)).toBe(true)
    expect(isBefore(next, position)).toBe(false)
    expect(packPosition(position) < packPosition(next)).toBe(true)
  }
})

test('a head with one wrong byte is none', () => {
  const head = { number: 77, salt: 5, epoch: Buffer.alloc(16, 1), gateway: Buffer.alloc(16, 2) }
  const bytes = encodeHead(head)
  expect(decodeHead(bytes)).toEqual(head)
  for (let at = 0; at < 60; at++) {
    const wrong = Buffer.from(bytes)
    wrong[at] = wrong[at]! ^ 1
    expect(decodeHead(wrong)).toBeNull()
  }
  expect(decodeHead(bytes.subarray(0, 59))).toBeNull()
  expect(segmentNumber(segmentName(77))).toBe(77)
  expect(segmentNumber('segment-77.journal')).toBeNull()
  expect(() => topicNumber('cairn.nothing')).toThrow(TypeError)
})

test('a configuration crosses to a thread with its secrets, which still do not print', () => {
  const config = { a: [1, { b: 'text' }], sasl: { password: secretOf('hidden words') }, none: null }
  const there = unpackSecrets(structuredClone(packSecrets(config))) as typeof config
  expect(there.sasl.password.reveal()).toBe('hidden words')
  expect(JSON.stringify(there)).not.toContain('hidden words')
  expect(there.a).toEqual(config.a)
  expect(there.none).toBeNull()
})

test('the lag is the age of the oldest bytes that are not in the log', () => {
  const lag = openShipLag()
  expect(lag.lag_ms(1_000)).toBe(0)
  lag.written(100, 1_000)
  lag.written(200, 1_010)
  lag.written(300, 1_100)
  expect(lag.lag_ms(1_500)).toBe(500)
  lag.acked(150)
  expect(lag.lag_ms(1_500)).toBe(500)
  lag.acked(200)
  expect(lag.lag_ms(1_500)).toBe(400)
  lag.acked(300)
  expect(lag.lag_ms(1_500)).toBe(0)
  // Hours without the log: the oldest stays known, the number of marks stays bounded.
  for (let i = 0; i < 100_000; i++) lag.written(1_000 + i, 2_000 + i * 60)
  expect(lag.lag_ms(2_000 + 6_000_000)).toBe(6_000_000)
})

test('the clocks give whole numbers that follow the system and never run backwards', () => {
  const clock = openSystemClock()
  let before_us = 0
  let before_ns = 0
  for (let i = 0; i < 10_000; i++) {
    const asked_ms = Date.now()
    const wall_us = clock.wall_us()
    const answered_ms = Date.now()
    const mono_ns = clock.mono_ns()
    expect(Number.isSafeInteger(wall_us) && Number.isSafeInteger(mono_ns)).toBe(true)
    expect(wall_us / 1000).toBeGreaterThan(asked_ms - 5)
    expect(wall_us / 1000).toBeLessThan(answered_ms + 5)
    expect(mono_ns).toBeGreaterThanOrEqual(before_ns)
    if (i > 0) expect(wall_us).toBeGreaterThan(before_us - 3_000)
    before_us = wall_us
    before_ns = mono_ns
  }
})

test('time and randomness are what is handed in', async () => {
  await using folder = await temporaryFolder()
  let ticks = 0
  const recorder = await openRecorder({
    ...recorderOptions(folder.path),
    clock: { wall_us: () => 1_700_000_000_000_000 + ticks++, mono_ns: () => ticks * 1_000 },
    randomness: (bytes) => Buffer.alloc(bytes, 0xab),
  })
  await recorder[Symbol.asyncDispose]()
  const [started] = await readLog(folder.path)
  expect(started?.header).toMatchObject({
    epoch: Buffer.alloc(16, 0xab),
    wall_us: 1_700_000_000_000_000,
    mono_ns: 1_000,
    gateway: hash('sha256', 'gw-test/0', 'buffer').subarray(0, 16),
  })
})
