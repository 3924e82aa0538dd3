import { isLoopbackHost } from '#lib/loopback.ts'
import {
  certificatePairs,
  duplicates,
  known,
  listAt,
  namesOf,
  textsAt,
  treeAt,
  type Finding,
  type Tree,
} from './plain-tree.ts'
import type { Path } from './problem.ts'

const unknownCredentials = (
  roles: readonly Tree[],
  names: ReadonlySet<string>,
  at: Path,
): Finding[] =>
  roles.flatMap((role, position) => {
    const credential = role['credential']
    if (typeof credential !== 'string' || names.has(credential)) return []
    const message = `no credential has this name; ${known(names)}`
    return [{ path: [...at, position, 'credential'], message }]
  })

/** Roles have credentials that are there. */
export const credentialReferences = (root: Tree): Finding[] => {
  const names = namesOf(listAt(root, 'credentials'))
  return listAt(root, 'targets').flatMap((target, index) => {
    const roles = listAt(target, 'roles')
    const at = ['targets', index, 'roles']
    return duplicates(roles, at, 'role of this target').concat(unknownCredentials(roles, names, at))
  })
}

const sources = ['password', 'password_file', 'password_env', 'vault', 'database_role'] as const

const placeholder = /\{([^{}]*)\}/g

/** A grant that names no role, or something that is not there, would give its right to nobody or fail at each session. */
const grantChecks = (role: Tree, path: Path): Finding[] =>
  textsAt(role, 'grants').flatMap((grant, index) => {
    const here = [...path, 'grants', index]
    const names = [...grant.matchAll(placeholder)].map(([, name = '']) => name)
    const unknown = names.find((name) => name !== 'role' && name !== 'database')
    if (unknown !== undefined)
      return [{ path: here, message: `{${unknown}} is unknown: there are {role} and {database}` }]
    return names.includes('role') ? [] : [{ path: here, message: '{role} is missing' }]
  })

/** Whoever gets what a session made must be somebody that the session could have been. */
const heirChecks = (role: Tree, path: Path): Finding[] => {
  if (role['objects'] === 'drop') return []
  const heirs = textsAt(role, 'member_of')
  if (heirs.length === 0)
    return [
      {
        path,
        message: 'who gets what a session made? Name a role in member_of, or say objects: drop',
      },
    ]
  const heir = role['reassign_to']
  return typeof heir !== 'string' || heirs.includes(heir)
    ? []
    : [
        {
          path: [...path, 'reassign_to'],
          message: `expected one of member_of (${heirs.join(', ')}): what a session makes must not get rights that it had not itself`,
        },
      ]
}

const databaseRoleChecks = (
  root: Tree,
  credential: Tree,
  path: Path,
  users: readonly string[],
): Finding[] => {
  const role = treeAt(credential, 'database_role')
  const findings = users.map((key) => ({
    path: [...path, key],
    message: `${key} is not for database_role: each session's role gets a name of its own`,
  }))
  const all = listAt(root, 'credentials')
  const admin = all.find(({ name }) => name === role['admin'])
  const at = [...path, 'database_role', 'admin']
  if (typeof role['admin'] === 'string' && admin === undefined)
    findings.push({ path: at, message: `no credential has this name; ${known(namesOf(all))}` })
  const passing =
    admin?.['database_role'] !== undefined ||
    (admin !== undefined && treeAt(treeAt(admin, 'vault'), 'database')['role'] !== undefined)
  if (passing && treeAt(treeAt(admin, 'vault'), 'database')['static'] !== true)
    findings.push({ path: at, message: 'a credential that is there to stay is needed' })
  const here = [...path, 'database_role']
  return [...findings, ...heirChecks(role, here), ...grantChecks(role, here)]
}

/** What is wrong with a block that must have exactly one of some keys; null if it has. */
const oneOf = (tree: Tree, keys: readonly string[], path: Path): Finding | null => {
  const given = keys.filter((key) => tree[key] !== undefined)
  if (given.length === 1) return null
  const message =
    given.length === 0 ? `give one of ${keys.join(', ')}` : `keep one of ${given.join(', ')}`
  return { path, message }
}

const vaultSourceChecks = (
  root: Tree,
  credential: Tree,
  path: Path,
  users: readonly string[],
): Finding[] => {
  const source = treeAt(credential, 'vault')
  const at = [...path, 'vault']
  const findings: Finding[] = []
  const server = source['server']
  const names = namesOf(listAt(root, 'vaults'))
  if (typeof server === 'string' && !names.has(server))
    findings.push({
      path: [...at, 'server'],
      message: `no vault has this name; ${known(names)}`,
    })
  const one = oneOf(source, ['kv', 'database'], at)
  if (one !== null) findings.push(one)
  if (source['database'] !== undefined)
    for (const key of users)
      findings.push({
        path: [...path, key],
        message: `${key} is not for vault.database: the vault names the user`,
      })
  return findings
}

/** Vaults: one way to log in, an address that keeps the token to itself. */
export const vaultChecks = (root: Tree): Finding[] => {
  const vaults = listAt(root, 'vaults')
  return duplicates(vaults, ['vaults'], 'vault').concat(
    vaults.flatMap((vault, index) => {
      const path = ['vaults', index]
      const findings = certificatePairs(treeAt(vault, 'tls'), [...path, 'tls'])
      const auth = treeAt(vault, 'auth')
      const at = [...path, 'auth']
      const appRole = treeAt(auth, 'app_role')
      const ones = [
        oneOf(auth, ['token', 'token_file', 'app_role', 'jwt'], at),
        auth['app_role'] === undefined
          ? null
          : oneOf(appRole, ['secret_id', 'secret_id_file'], [...at, 'app_role']),
      ]
      findings.push(...ones.filter((finding) => finding !== null))
      const url = vault['url']
      if (typeof url !== 'string' || !URL.canParse(url)) return findings
      const { protocol, hostname, username, password, pathname, search, hash } = new URL(url)
      const wrong = (message: string) => findings.push({ path: [...path, 'url'], message })
      if (protocol === 'http:' ? !isLoopbackHost(hostname) : protocol !== 'https:')
        wrong('expected https:// (http:// is for loopback only)')
      if (username !== '' || password !== '') wrong('a user or password in the URL is not accepted')
      if (pathname !== '/' || search !== '' || hash !== '')
        wrong('expected the server alone: nothing after the host and port')
      return findings
    }),
  )
}

/** A credential has one source, and the keys that go with it. */
export const credentialChecks = (root: Tree): Finding[] =>
  listAt(root, 'credentials').flatMap((credential, index) => {
    const path = ['credentials', index]
    const given = sources.filter((key) => credential[key] !== undefined)
    if (given.length !== 1)
      return [
        {
          path,
          message:
            given.length === 0
              ? `has no source: give one of ${sources.join(', ')}`
              : `has ${given.length} sources: keep one of ${given.join(', ')}`,
        },
      ]
    const users = ['user', 'user_file'].filter((key) => credential[key] !== undefined)
    if (given[0] === 'database_role') return databaseRoleChecks(root, credential, path, users)
    if (given[0] === 'vault') return vaultSourceChecks(root, credential, path, users)
    if (users.length === 0) return [{ path, message: 'user is missing (or user_file)' }]
    return users.length > 1 ? [{ path, message: 'user and user_file: keep one of them' }] : []
  })
