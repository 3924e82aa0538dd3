import type { Claims } from '../identity/identity.ts'

/** Claims with names that belong to one person only: OpenID Connect's, and what common issuers add. A display name is none. */
const name_claims = ['preferred_username', 'upn', 'nickname', 'login', 'user_login', 'username']

/** Kept of a name, and names kept. */
const name_chars_max = 256

const textOf = (claim: unknown): readonly string[] =>
  typeof claim === 'string' && claim.trim() !== '' ? [claim.trim().slice(0, name_chars_max)] : []

/**
 * Names under which a person may stand behind a CI run or have another account: user names, and the address unless its issuer says that it is not
 * verified.
 */
export const approverNames = (claims: Claims): readonly string[] => [
  ...new Set([
    ...name_claims.flatMap((name) => textOf(claims[name])),
    ...(claims['email_verified'] === false ? [] : textOf(claims['email'])),
  ]),
]
