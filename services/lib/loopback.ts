import { isIP } from 'node:net'

/**
 * True for an address or host name that cannot leave the machine: 127.0.0.0/8, ::1 (also bracketed, also as IPv4-mapped), and
 * `localhost` with names below it (RFC 6761, section 6.3). Names are not resolved.
 */
export const isLoopbackHost = (host: string): boolean => {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  if (bare === 'localhost' || bare.endsWith('.localhost')) return true
  if (isIP(bare) === 4) return bare.startsWith('127.')
  return bare === '::1' || /^::ffff:(127\.|7f[0-9a-f]{2}:)/.test(bare)
}
