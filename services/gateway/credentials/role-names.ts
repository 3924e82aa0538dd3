import { createHash } from 'node:crypto'

/**
 * Names of the roles that Cairn makes for one session each. The name says whose role it is, so that a sweep finds what a dead gateway left
 * behind, whatever became of its memory:
 *
 *     name = "cairn_" maker gateway "_" boot "_" created "_" random
 *     maker   = 8 hex digits of the SHA-256 of deployment "/" credential
 *     gateway = 8 hex digits of the SHA-256 of the gateway process's name
 *     boot    = 8 hex digits, random for each start of a gateway process
 *     created = 8 hex digits: seconds since 1970 by the target's clock
 *     random  = 12 hex digits
 *
 * 53 characters; PostgreSQL cuts names at 63 bytes.
 */

const hex8 = '[0-9a-f]{8}'
const name_form = new RegExp(`^cairn_(${hex8})(${hex8})_(${hex8})_(${hex8})_[0-9a-f]{12}$`)

/** Who makes roles: one start of one gateway process, by one credential. */
export type RoleOwner = {
  readonly deployment: string
  /** Name of the credential in the configuration. */
  readonly credential: string
  /** Name of the gateway process. */
  readonly gateway: string
  /** 8 hex digits. */
  readonly boot: string
}

type RoleName = {
  readonly maker: string
  readonly gateway: string
  readonly boot: string
  readonly created_s: number
}

const tag = (name: string): string => createHash('sha256').update(name).digest('hex').slice(0, 8)

const makerOf = ({ deployment, credential }: Pick<RoleOwner, 'deployment' | 'credential'>) =>
  tag(`${deployment}/${credential}`)

/** @param random 12 hex digits */
export const roleName = (owner: RoleOwner, created_s: number, random: string): string => {
  const created = created_s.toString(16).padStart(8, '0')
  return `cairn_${makerOf(owner)}${tag(owner.gateway)}_${owner.boot}_${created}_${random}`
}

/** Null for a name that is none of Cairn's. */
const readRoleName = (name: string): RoleName | null => {
  const [, maker = '', gateway = '', boot = '', created = ''] = name_form.exec(name) ?? []
  if (created === '') return null
  return { maker, gateway, boot, created_s: Number.parseInt(created, 16) }
}

/** LIKE pattern of every role that gateways of a deployment make by a credential; its `_` matches any character. */
export const rolesLike = (owner: RoleOwner): string => `cairn_${makerOf(owner)}%`

/** Key of the advisory lock that their sweeps take at a target, as two int4: "cair", and who they are. */
export const sweepLock = (owner: RoleOwner): readonly [string, string] => {
  const maker = Buffer.from(makerOf(owner), 'hex').readInt32BE()
  return [String(Buffer.from('cair').readInt32BE()), String(maker)]
}

/** A role as a sweep finds it. */
export type FoundRole = {
  readonly name: string
  /** Sessions that are logged in as it. */
  readonly backends: number
  /** VALID UNTIL, seconds since 1970; null if it has none. */
  readonly valid_until_s: number | null
}

/** What a gateway process knows of its own roles. */
export type OwnRoles = {
  /** Their sessions are open, or on the way. */
  readonly live: ReadonlySet<string>
  /** Their sessions are over, and they could not be dropped then. */
  readonly abandoned: ReadonlySet<string>
}

/**
 * Why a role is nobody's any more; null while it may be in use.
 *
 * @param owner   who sweeps: a role of an earlier start of the same gateway process is left over at once, for only one runs at a time
 * @param now_s   the target's clock
 * @param grace_s how long a role of another gateway may be without a session: it was made and its session is on the way
 */
export const leftOver = (
  role: FoundRole,
  owner: RoleOwner,
  own: OwnRoles,
  now_s: number,
  grace_s: number,
): string | null => {
  const parsed = readRoleName(role.name)
  if (parsed === null || parsed.maker !== makerOf(owner)) return null
  if (parsed.gateway === tag(owner.gateway) && parsed.boot !== owner.boot)
    return 'left over by an earlier start of this gateway'
  if (own.abandoned.has(role.name)) return 'left over when its session ended'
  if (role.valid_until_s !== null && role.valid_until_s + grace_s < now_s)
    return 'left over beyond its lifetime'
  if (own.live.has(role.name)) return null
  if (role.backends === 0 && parsed.created_s + grace_s < now_s)
    return 'left over by a gateway that is gone: nobody is logged in as it'
  return null
}
