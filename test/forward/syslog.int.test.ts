import { describe, expect, it } from 'vitest'
import { catalogue } from '#core/events/catalogue.ts'
import type { EventType } from '#core/events/types.ts'
import type { SinkConfig } from '#lib/config/schema.ts'
import { sinkGroup } from '../../services/forward/forwarder.ts'
import { contextOf, samples } from '../core/events/samples.ts'
import {
  allCommitted,
  distinct,
  events,
  gseqs,
  sdOf,
  sink,
  startForwarder,
  times,
} from './forwarding.ts'
import { commands, epoch, openTestLog, recordOf } from './recording.ts'
import { openRsyslog, rsyslogd, until } from './rsyslog.ts'

describe.skipIf(rsyslogd === null)('forwarding to rsyslog over TCP', () => {
  it('delivers every event with its fields in their places', async () => {
    await using rsyslog = await openRsyslog()
    await using testLog = await openTestLog()
    const { log } = testLog
    const types = Object.keys(catalogue) as EventType[]
    const topics = [...new Set(types.map((type) => catalogue[type].topic))] as SinkConfig['topics']
    for (const [gseq, type] of types.entries())
      await log.append(catalogue[type].topic, [recordOf(type, gseq)])
    await using forwarder = await startForwarder(log, sink({ port: rsyslog.port, topics }))
    await until(async () => (await distinct(rsyslog)) === types.length, 'every event')
    const received = events(await rsyslog.received())
    for (const [gseq, type] of types.entries()) {
      const { code } = catalogue[type]
      const one = received.find((each) => sdOf(each)['gseq'] === String(gseq))
      if (one === undefined) throw new Error(`${type} is missing`)
      const context = contextOf(type)
      expect(one).toMatchObject({
        host: 'forwarder-1',
        app: 'cairn',
        procid: 'gw-1/0',
        msgid: code,
      })
      expect(one.time).toMatch(/^2026-03-01T12:00:00\.123\d{3}(Z|\+00:00)$/)
      expect(Number(one.pri)).toBe(13 * 8 + { I: 6, W: 4, E: 3, A: 1 }[code.slice(-1)]!)
      const id = `gw-1/0/${epoch.toString('hex')}/${gseq}`
      expect(sdOf(one)).toMatchObject({ id, event: type, deployment: 'local', gseq: String(gseq) })
      expect(sdOf(one)['actor']).toBe(context.actor?.subject)
      expect(sdOf(one)['run']).toBe(context.pipeline?.run)
      expect(sdOf(one)['target']).toBe(context.target?.name)
      const body = JSON.parse(one.msg) as { id: string; event: Record<string, unknown> }
      expect(body.id).toBe(id)
      for (const [name, value] of Object.entries(samples[type]))
        expect(body.event[name], `${type}.${name}`).toEqual(asJson(value))
    }
    void forwarder
  })

  it('loses nothing when rsyslog is killed and started again while events flow', async () => {
    await using rsyslog = await openRsyslog()
    await using testLog = await openTestLog()
    const { log } = testLog
    await using forwarder = await startForwarder(
      log,
      sink({ port: rsyslog.port, window_events_max: 400 }),
    )
    // Each time in the middle of a burst, so that much of it is on its way.
    let appended = 0
    for (let death = 0; death < 4; death++) {
      await log.append('cairn.audit', commands(appended, 3_000))
      await until(async () => (await distinct(rsyslog)) > appended + 500, 'events flow')
      await rsyslog.kill('SIGKILL')
      await log.append('cairn.audit', commands(appended + 3_000, 200))
      appended += 3_200
      await rsyslog.start()
    }
    await until(async () => (await distinct(rsyslog)) === appended, 'every event')
    await until(() => allCommitted(log, ['cairn.audit']), 'the position follows')
    const seen = gseqs(await rsyslog.received())
    expect(seen.length - appended).toBeLessThanOrEqual(4 * 400)
    void forwarder
  })

  it('loses nothing when rsyslog hangs with much unread and is then killed', async () => {
    await using rsyslog = await openRsyslog()
    await using testLog = await openTestLog()
    const { log } = testLog
    await using forwarder = await startForwarder(
      log,
      sink({ port: rsyslog.port, window_events_max: 200 }),
    )
    await log.append('cairn.audit', commands(0, 50))
    await until(async () => (await distinct(rsyslog)) === 50, 'the first events')
    rsyslog.signal('SIGSTOP')
    await log.append('cairn.audit', commands(50, 1_000))
    // Longer than an idle window needs to settle: what a stopped receiver holds unread must not
    // count as delivered.
    await new Promise((resolve) =>
      setTimeout(resolve, times.settle_ms + 2 * times.confirm_interval_ms),
    )
    const lag = await log.lag(sinkGroup('siem'), ['cairn.audit'])
    expect(
      lag.reduce((sum, { committed }) => sum + Number(committed ?? 0n), 0),
    ).toBeLessThanOrEqual(50)
    await rsyslog.kill('SIGKILL')
    await rsyslog.start()
    await until(async () => (await distinct(rsyslog)) === 1_050, 'every event')
    void forwarder
  })

  it('delivers in order per session, once, while nothing fails', async () => {
    await using rsyslog = await openRsyslog()
    await using testLog = await openTestLog()
    const { log } = testLog
    await using forwarder = await startForwarder(
      log,
      sink({ port: rsyslog.port, window_events_max: 300 }),
    )
    for (let first = 0; first < 5_000; first += 500)
      await log.append('cairn.audit', commands(first, 500))
    await until(async () => (await distinct(rsyslog)) === 5_000, 'every event')
    const received = events(await rsyslog.received())
    expect(received).toHaveLength(5_000)
    const sessions = Map.groupBy(received, (each) => sdOf(each)['session'])
    expect(sessions.size).toBe(7)
    for (const one of sessions.values()) {
      const order = gseqs(one)
      expect(order).toEqual([...order].sort((a, b) => a - b))
    }
    void forwarder
  })

  it('keeps its position when it is started again', async () => {
    await using rsyslog = await openRsyslog()
    await using testLog = await openTestLog()
    const { log } = testLog
    const config = sink({ port: rsyslog.port })
    const first = await startForwarder(log, config)
    await log.append('cairn.audit', commands(0, 300))
    await until(async () => (await distinct(rsyslog)) === 300, 'the first events')
    await first[Symbol.asyncDispose]()
    expect(await allCommitted(log, ['cairn.audit'])).toBe(true)
    await log.append('cairn.audit', commands(300, 300))
    await using second = await startForwarder(log, config)
    await until(async () => (await distinct(rsyslog)) === 600, 'the others')
    expect(gseqs(await rsyslog.received())).toHaveLength(600)
    void second
  })

  it('waits for a receiver that is not there yet, and stops at once without one', async () => {
    await using rsyslog = await openRsyslog()
    await rsyslog.kill('SIGKILL')
    await using testLog = await openTestLog()
    const { log } = testLog
    const config = sink({ port: rsyslog.port })
    await log.append('cairn.audit', commands(0, 20))
    const first = await startForwarder(log, config)
    await first[Symbol.asyncDispose]()
    await using second = await startForwarder(log, config)
    await rsyslog.start()
    await until(async () => (await distinct(rsyslog)) === 20, 'every event')
    void second
  })

  it('says that it lives, and which message was its last', async () => {
    await using rsyslog = await openRsyslog()
    await using testLog = await openTestLog()
    await using forwarder = await startForwarder(testLog.log, sink({ port: rsyslog.port }))
    await testLog.log.append('cairn.audit', commands(0, 5))
    await until(
      async () =>
        (await rsyslog.received()).some(
          (each) => each.msgid === 'heartbeat' && sdOf(each)['last_sequence'] === '5',
        ),
      'a heartbeat after the events',
    )
    const received = await rsyslog.received()
    const last = received.findLast(({ msgid }) => msgid === 'heartbeat')
    expect(sdOf(last!)).toMatchObject({
      event: 'forward.heartbeat',
      sink: 'siem',
      instance: 'test',
    })
    expect(events(received).map(({ sd }) => sd['meta']?.['sequenceid'])).toContain('5')
    void forwarder
  })
})

/** A field as the JSON form has it. */
const asJson = (value: unknown): unknown => {
  if (!Buffer.isBuffer(value))
    return Array.isArray(value)
      ? value.map(asJson)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([name, item]) => [name, asJson(item)]))
        : value
  return expect.toSatisfy(
    (text: unknown) => text === value.toString('hex') || text === value.toString('base64'),
  )
}
