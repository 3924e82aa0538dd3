import {
  createHash,
  createHmac,
  pbkdf2,
  randomBytes,
  timingSafeEqual,
  type X509Certificate,
} from 'node:crypto'
import { promisify } from 'node:util'
import { CairnError } from '#lib/error.ts'

/**
 * SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, client side (RFC 5802, RFC 7677; channel binding tls-server-end-point: RFC 5929), as PostgreSQL
 * uses them: the user name stays empty, the server takes it from the startup message.
 *
 *     client-first   = gs2 "n=,r=" nonce
 *     server-first   = "r=" nonce ",s=" base64 ",i=" digits
 *     client-final   = "c=" base64(gs2 binding) ",r=" nonce ",p=" base64
 *     server-final   = "v=" base64
 */

export type ScramClient = {
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-256-PLUS'
  readonly first: string
  /** The answer to server-first. Throws CairnError('target_unavailable') when the server breaks the protocol. */
  readonly final: (serverFirst: string) => Promise<string>
  /** Whether server-final proves that the server knows the password too. */
  readonly verify: (serverFinal: string) => boolean
}

/** A server that asks for more rounds than this wants our time, not our proof. */
const iterations_max = 1_000_000

const derive = promisify(pbkdf2)

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const broken = (why: string): CairnError =>
  new CairnError('target_unavailable', `the target's SCRAM exchange is broken: ${why}`)

/**
 * Data of channel binding tls-server-end-point: the certificate's hash by its own signature's algorithm, SHA-256 where that is MD5 or SHA-1.
 * Null where the certificate names no hash (Ed25519): then there is no binding.
 */
export const serverEndPoint = (certificate: X509Certificate): Buffer | null => {
  const algorithm = (certificate.signatureAlgorithm ?? '').toLowerCase()
  const name = /(sha-?(?:1|224|256|384|512)|md5)/.exec(algorithm)?.[1]?.replace('-', '')
  if (name === undefined) return null
  const hash = name === 'md5' || name === 'sha1' ? 'sha256' : name
  return createHash(hash).update(certificate.raw).digest()
}

const attributes = (message: string): Map<string, string> =>
  new Map(message.split(',').map((part) => [part.slice(0, 2), part.slice(2)]))

/**
 * @param password   as configured
 * @param mechanisms what the server offers
 * @param binding    channel binding data when the connection has TLS, else null
 */
export const openScram = (
  password: string,
  mechanisms: readonly string[],
  binding: Buffer | null,
): ScramClient | null => {
  const plus = binding !== null && mechanisms.includes('SCRAM-SHA-256-PLUS')
  if (!plus && !mechanisms.includes('SCRAM-SHA-256')) return null
  // "y": we could bind, the server did not offer it; a man in the middle who removed the offer is found out by the server.
  const gs2 = plus ? 'p=tls-server-end-point,,' : binding === null ? 'n,,' : 'y,,'
  const nonce = randomBytes(18).toString('base64')
  const bare = `n=,r=${nonce}`
  let expected: Buffer | null = null
  return {
    mechanism: plus ? 'SCRAM-SHA-256-PLUS' : 'SCRAM-SHA-256',
    first: gs2 + bare,
    final: async (serverFirst) => {
      const given = attributes(serverFirst)
      const both = given.get('r=') ?? ''
      const salt = Buffer.from(given.get('s=') ?? '', 'base64')
      const iterations = Number(given.get('i='))
      if (!both.startsWith(nonce) || both.length === nonce.length) throw broken('nonce')
      if (salt.length === 0) throw broken('salt')
      if (!Number.isInteger(iterations) || iterations < 1 || iterations > iterations_max)
        throw broken('iteration count')
      const salted = await derive(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
      const clientKey = hmac(salted, 'Client Key')
      const storedKey = createHash('sha256').update(clientKey).digest()
      const channel = Buffer.concat([
        Buffer.from(gs2),
        plus && binding !== null ? binding : Buffer.alloc(0),
      ]).toString('base64')
      const withoutProof = `c=${channel},r=${both}`
      const message = `${bare},${serverFirst},${withoutProof}`
      const signature = hmac(storedKey, message)
      const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!))
      expected = hmac(hmac(salted, 'Server Key'), message)
      return `${withoutProof},p=${proof.toString('base64')}`
    },
    verify: (serverFinal) => {
      const proof = Buffer.from(attributes(serverFinal).get('v=') ?? '', 'base64')
      return (
        expected !== null && proof.length === expected.length && timingSafeEqual(proof, expected)
      )
    },
  }
}
