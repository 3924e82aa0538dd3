import { expect, test } from 'vitest'
import { isLoopbackHost } from '#lib/loopback.ts'

test.each([
  '127.0.0.1',
  '127.9.9.9',
  'localhost',
  'LOCALHOST',
  'a.localhost',
  '::1',
  '[::1]',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
])('%s stays on the machine', (host) => {
  expect(isLoopbackHost(host)).toBe(true)
})

test.each([
  '',
  '0.0.0.0',
  '::',
  '128.0.0.1',
  '127.0.0.1.example.test',
  '127.evil.test',
  'localhost.example.test',
  '::ffff:7f',
  '10.0.0.1',
  '1270.0.0.1',
])('%s may leave it', (host) => {
  expect(isLoopbackHost(host)).toBe(false)
})
