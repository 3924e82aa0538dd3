import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openWindow } from '../../services/forward/window.ts'

type Step =
  | { readonly kind: 'push'; readonly bytes: number }
  | { readonly kind: 'send' | 'confirm' | 'rewind' }
  | { readonly kind: 'settle'; readonly wait_ms: number }

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('push' as const),
      bytes: fc.integer({ min: 8, max: 400 }),
    }),
  },
  { weight: 6, arbitrary: fc.constant<Step>({ kind: 'send' }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: 'confirm' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'rewind' }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), wait_ms: fc.nat(20) }),
  },
)

const message = (number: number, bytes: number): Buffer => {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUInt32BE(number)
  return buffer
}

describe('the resend window', () => {
  it('lets a message leave only after it was sent and confirmed on one connection, in order, once', () => {
    fc.assert(
      fc.property(
        fc.array(steps, { maxLength: 400 }),
        fc.integer({ min: 1, max: 20 }),
        (all, events_max) => {
          const limits = { events_max, bytes_max: 2_000 }
          const window = openWindow(limits)
          let pushed = 0
          let now = 0
          const delivered: number[] = []
          let sentNow: number[] = []
          const proven = new Set<number>()
          for (const step of all) {
            now++
            if (step.kind === 'push' && !window.full) {
              const number = pushed++
              window.push({
                bytes: message(number, step.bytes),
                delivered: () => delivered.push(number),
              })
            } else if (step.kind === 'send' && !window.due) {
              const bytes = window.next()
              if (bytes !== null) sentNow.push(bytes.readUInt32BE())
            } else if (step.kind === 'confirm') {
              for (const number of sentNow) proven.add(number)
              sentNow = []
              window.confirm(now)
            } else if (step.kind === 'rewind') {
              window.rewind()
              sentNow = []
            } else if (step.kind === 'settle') window.settle((now += step.wait_ms) - 10)
            expect(window.size).toBe(pushed - delivered.length)
            expect(window.size).toBeLessThanOrEqual(events_max)
          }
          expect(delivered).toEqual(delivered.map((_, at) => at))
          for (const number of delivered) expect(proven).toContain(number)
        },
      ),
    )
  })

  it('never gets stuck: sending and confirming lets everything through', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 50, max: 3_000 }),
        fc.array(fc.integer({ min: 8, max: 2_500 }), { maxLength: 60 }),
        (events_max, bytes_max, sizes) => {
          const window = openWindow({ events_max, bytes_max })
          let delivered = 0
          for (const [number, size] of sizes.entries()) {
            for (let turns = 0; window.full; turns++) {
              expect(turns).toBeLessThan(4)
              while (!window.due && window.next() !== null);
              window.confirm(0)
            }
            window.push({ bytes: message(number, size), delivered: () => delivered++ })
          }
          while (window.unsent > 0) {
            while (!window.due && window.next() !== null);
            window.confirm(0)
          }
          window.settle(0)
          expect(delivered).toBe(sizes.length)
        },
      ),
    )
  })

  it('sends everything again after a lost connection, what was confirmed and not yet let go too', () => {
    const window = openWindow({ events_max: 8, bytes_max: 10_000 })
    for (let number = 0; number < 4; number++)
      window.push({ bytes: message(number, 8), delivered: () => undefined })
    expect([window.next(), window.next()].map((bytes) => bytes?.readUInt32BE())).toEqual([0, 1])
    window.confirm(1)
    expect(window.next()?.readUInt32BE()).toBe(2)
    expect(window.rewind()).toBe(3)
    expect(window.next()?.readUInt32BE()).toBe(0)
  })

  it('lets go of the bytes of what has left, over many messages', () => {
    const window = openWindow({ events_max: 10, bytes_max: 10_000 })
    let delivered = 0
    for (let number = 0; number < 5_000; number++) {
      window.push({ bytes: message(number, 8), delivered: () => delivered++ })
      expect(window.next()?.readUInt32BE()).toBe(number)
      window.confirm(number)
    }
    expect(delivered).toBe(4_995)
  })
})
