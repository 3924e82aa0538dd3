import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { decodeValue } from '#core/events/codec.ts'
import { decodeHeader } from '#core/events/header.ts'
import { CairnError } from '#lib/error.ts'
import type { LogRecord } from '#lib/log/port.ts'
import { recorderId } from '#lib/log/recorder.ts'
import { openAuditRecorder, type AuditRecorder } from '../../services/api/audit.ts'

const nobody = { actor: null, pipeline: null, peer: null, target: null } as const
const body = {
  viewer_issuer: 'cairn',
  viewer_subject: 'local-admin',
  resource: 'commands',
  viewed_session: '',
  query: '',
}

/** A log that takes records, or does not, as the test says: the fault is what is tested here. */
const openFaultyLog = () => {
  const taken: LogRecord[] = []
  const tried: number[] = []
  let down = false
  return {
    taken,
    tried,
    setDown: (value: boolean) => {
      down = value
    },
    append: async (_topic: string, records: readonly LogRecord[]) => {
      tried.push(records.length)
      await sleep(1)
      if (down) throw new CairnError('log_unavailable', 'down')
      taken.push(...records)
      return []
    },
  }
}

const recorders: AuditRecorder[] = []
const open = (log: ReturnType<typeof openFaultyLog>, durable_timeout_ms = 5000): AuditRecorder => {
  let ns = 0n
  const recorder = openAuditRecorder({
    log,
    deployment: 'test',
    epoch: Buffer.alloc(16, 7),
    now_us: () => 1_700_000_000_000_000,
    mono_ns: () => (ns += 1000n),
    durable_timeout_ms,
  })
  recorders.push(recorder)
  return recorder
}
afterEach(async () => {
  for (const recorder of recorders.splice(0)) await recorder[Symbol.asyncDispose]()
})

const headerOf = (record: LogRecord) => {
  const decoded = decodeHeader(record.headers['cairn-leaf'] ?? Buffer.alloc(0))
  if (!decoded.ok) throw new Error(decoded.detail)
  return decoded.header
}

describe("the api's recorder", () => {
  it('mints records that a reader of the trail accepts', async () => {
    const log = openFaultyLog()
    await open(log).record('evidence.viewed', nobody, body)
    const [record] = log.taken
    expect(record?.key).toEqual(recorderId('api'))
    expect(record?.headers['cairn-code']?.toString()).toBe('CRN1700I')
    expect(headerOf(record!)).toMatchObject({ gseq: 0, sseq: 0, code: 'CRN1700I' })
    expect(headerOf(record!).value_bytes).toBe(record?.value.length)
    expect(decodeValue(record?.value ?? Buffer.alloc(0))).toMatchObject({
      ok: true,
      type: 'evidence.viewed',
      event: { context: { gateway: 'api', deployment: 'test' }, viewer_subject: 'local-admin' },
    })
  })

  it('numbers without a hole when many come at once, and appends them together', async () => {
    const log = openFaultyLog()
    const recorder = open(log)
    await Promise.all(
      Array.from({ length: 300 }, () => recorder.record('evidence.viewed', nobody, body)),
    )
    expect(log.taken.map((record) => headerOf(record).gseq)).toEqual([...Array(300).keys()])
    expect(log.tried.length).toBeLessThan(20)
  })

  it('refuses while the log is down, and leaves no hole behind when it is back', async () => {
    const log = openFaultyLog()
    const recorder = open(log, 60)
    log.setDown(true)
    await expect(recorder.record('evidence.viewed', nobody, body)).rejects.toMatchObject({
      code: 'audit_unavailable',
    })
    log.setDown(false)
    await open(log).record('evidence.viewed', nobody, body)
    await recorder.record('evidence.viewed', nobody, body).catch(() => undefined)
    await expect.poll(() => recorder.records).toBe(2)
    await expect.poll(() => log.taken.length).toBe(3)
    const own = log.taken.map((record) => headerOf(record)).filter(({ gseq }) => gseq < 2)
    expect(own.map(({ gseq }) => gseq).toSorted((a, b) => a - b)).toEqual([0, 0, 1])
  })

  it('takes no number for an event that cannot be encoded', async () => {
    const log = openFaultyLog()
    const recorder = open(log)
    await expect(
      recorder.record('evidence.viewed', nobody, { ...body, query: 5 as unknown as string }),
    ).rejects.toThrow()
    await recorder.record('evidence.viewed', nobody, body)
    expect(log.taken.map((record) => headerOf(record).gseq)).toEqual([0])
  })

  it('holds a bounded number of notes and refuses more', async () => {
    const log = openFaultyLog()
    const recorder = open(log, 50)
    log.setDown(true)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 1100 }, () => recorder.record('evidence.viewed', nobody, body)),
    )
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    expect(recorder.records).toBe(1000)
  })

  it('records nothing more once it is closed', async () => {
    const log = openFaultyLog()
    const recorder = open(log)
    await recorder[Symbol.asyncDispose]()
    await expect(recorder.record('evidence.viewed', nobody, body)).rejects.toMatchObject({
      code: 'audit_unavailable',
    })
  })
})
