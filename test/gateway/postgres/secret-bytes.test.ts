import { expect, it } from 'vitest'
import {
  openSecretMask,
  secretBytes,
} from '../../../services/gateway/protocols/postgres/secret-bytes.ts'
import { wire } from '../../support/wire-client.ts'

const masked = (secrets: readonly string[], buffer: Buffer): string | undefined => {
  const found = secretBytes(secrets)
  if (found === null) return undefined
  const type = buffer[0]!
  const piece = { type, buffer, start: 0, end: buffer.length, first: true, last: true }
  return openSecretMask().mask(found, piece)?.bytes.toString('latin1')
}

const notice = wire.message('N', Buffer.from('Mit says hush\0\0'))

it('a secret becomes asterisks, and nothing else does', () => {
  expect(masked(['hush'], notice)).toBe(notice.toString('latin1').replace('hush', '****'))
})

it('an empty literal is no secret: looking for it would never end', () => {
  expect(secretBytes([''])).toBe(null)
  expect(masked(['', 'hush'], notice)).toContain('****')
})
