import { errors, jwtVerify, type CryptoKey } from 'jose'
import type { Claims, Refusal } from '#core/identity/identity.ts'

export type Expected = {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly algorithms: readonly string[]
  readonly clock_skew_s: number
  readonly now_ms: number
}

type Verified = { readonly ok: true; readonly claims: Claims } | Refusal

const refused = (reason: Refusal['reason'], detail: string): Refusal => ({
  ok: false,
  reason,
  detail,
})

const claimRefusal = (error: errors.JWTClaimValidationFailed): Refusal => {
  if (error.reason === 'missing')
    return refused('unusable_claims', `claim ${error.claim} is missing`)
  switch (error.claim) {
    case 'aud':
      return refused('wrong_audience', 'the token is for another audience')
    case 'iss':
      return refused('unknown_issuer', 'the token is from another issuer')
    case 'nbf':
      return refused('token_not_yet_valid', 'the token is not valid yet')
    default:
      return refused('unusable_claims', `claim ${error.claim} is not usable`)
  }
}

const refusalOf = (error: unknown): Refusal => {
  if (error instanceof errors.JWTExpired) return refused('token_expired', 'the token has ended')
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error)
  if (error instanceof errors.JOSEAlgNotAllowed)
    return refused('algorithm_not_allowed', 'the algorithm is not allowed')
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return refused('bad_signature', 'the signature is wrong')
  if (error instanceof errors.JOSEError)
    return refused('malformed_token', 'the token is not a usable JWT')
  // A key that does not fit its algorithm (too small, another curve) is a TypeError of the library.
  if (error instanceof TypeError)
    return refused('bad_signature', 'the key does not fit the algorithm')
  throw error
}

/**
 * Verifies signature, issuer, audience and times of a token (RFC 7519, section 7.2; RFC 8725). `exp`, `iat`, `aud` and `sub` must be
 * there; an `iat` from the future beyond the clock skew is `token_not_yet_valid`.
 */
export const verifyToken = async (
  token: string,
  key: CryptoKey,
  expected: Expected,
): Promise<Verified> => {
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer: expected.issuer,
      audience: [...expected.audience],
      algorithms: [...expected.algorithms],
      clockTolerance: expected.clock_skew_s,
      currentDate: new Date(expected.now_ms),
      requiredClaims: ['exp', 'iat', 'sub'],
    })
    const { iat } = payload
    if (iat !== undefined && iat > Math.floor(expected.now_ms / 1000) + expected.clock_skew_s) {
      return refused('token_not_yet_valid', 'the token was issued in the future')
    }
    return { ok: true, claims: payload }
  } catch (error) {
    return refusalOf(error)
  }
}
