import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { openCancelRelay, type CancelMessage } from '../../../services/gateway/cancel-relay.ts'
import { openCancelKeys } from '../../../services/gateway/protocols/postgres/cancel.ts'

describe('cancel keys', () => {
  it('reach their own session, exactly', () => {
    const keys = openCancelKeys({ index: 0, relay: null })
    let cancelled = 0
    const key = keys.mint(0, () => cancelled++)
    const other = keys.mint(2, () => undefined)
    expect(key.secret).toHaveLength(4)
    expect(other.secret).toHaveLength(32)
    expect(keys.request(key.pid, key.secret)).toBe(true)
    expect(cancelled).toBe(1)
    expect(keys.request(key.pid, other.secret)).toBe(false)
    expect(keys.request(key.pid, Buffer.alloc(0))).toBe(false)
    expect(keys.request(key.pid, Buffer.concat([key.secret, Buffer.alloc(1)]))).toBe(false)
    expect(keys.request(other.pid, key.secret)).toBe(false)
    keys.forget(key)
    expect(keys.request(key.pid, key.secret)).toBe(false)
    expect(cancelled).toBe(1)
  })

  it('are positive numbers, whatever the process', () => {
    for (const index of [0, 1, 127]) {
      const keys = openCancelKeys({ index, relay: null })
      for (let i = 0; i < 100; i++) {
        const { pid } = keys.mint(0, () => undefined)
        expect(pid).toBeGreaterThan(0)
        expect(pid).toBeLessThan(2 ** 31)
        expect(pid >>> 24).toBe(index)
      }
    }
  })

  it('of another process are handed on', () => {
    const sent: CancelMessage[] = []
    let cancelled = 0
    const there = openCancelKeys({ index: 3, relay: null })
    const here = openCancelKeys({ index: 0, relay: (message) => sent.push(message) })
    const key = there.mint(2, () => cancelled++)
    expect(here.request(key.pid, key.secret)).toBe(true)
    expect(sent).toMatchObject([{ to: 3 }])
    expect(there.relayed(sent[0]!)).toBe(true)
    expect(cancelled).toBe(1)
    expect(here.request(-1, key.secret)).toBe(false)
  })
})

describe('the relay between processes', () => {
  const channel = () => {
    const sent: object[] = []
    return Object.assign(new EventEmitter(), {
      connected: true,
      sent,
      send: (message: object) => sent.push(message),
    })
  }
  const message: CancelMessage = { kind: 'cancel', to: 2, pid: 0x0200_0001, secret: '00ff00ff' }

  it('wraps what goes out for the supervisor, and unwraps what it brings', () => {
    const received: CancelMessage[] = []
    const ipc = channel()
    using relay = openCancelRelay(ipc, (cancel) => received.push(cancel))
    relay.send(message)
    expect(ipc.sent).toEqual([{ type: 'relay', to: 2, payload: message }])
    ipc.emit('message', { type: 'relayed', payload: message })
    expect(received).toEqual([message])
  })

  it('passes over everything else', () => {
    const received: CancelMessage[] = []
    const ipc = channel()
    {
      using _ = openCancelRelay(ipc, (cancel) => received.push(cancel))
      for (const other of [
        { type: 'stop' },
        { type: 'relayed', payload: null },
        { type: 'relayed', payload: { ...message, secret: 'xyz' } },
        { type: 'relayed', payload: { ...message, pid: 'one' } },
      ])
        ipc.emit('message', other)
    }
    ipc.emit('message', { type: 'relayed', payload: message })
    expect(received).toEqual([])
  })
})
