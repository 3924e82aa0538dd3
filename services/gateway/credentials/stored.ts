import { open } from 'node:fs/promises'
import type { CredentialConfig } from '#lib/config/schema.ts'
import { secretOf, type Secret } from '#lib/config/secret.ts'
import { lasting, unavailable, type CredentialSource } from './source.ts'

/** Largest file with a user or a password, bytes. */
const file_bytes_max = 65_536

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'

/** The text of a small file without its last newline. Bounded also when the file grows while it is read. */
const readShort = async (config: CredentialConfig, path: string): Promise<string> => {
  const bytes = Buffer.alloc(file_bytes_max + 1)
  let length = 0
  try {
    await using file = await open(path, 'r')
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, null)
      length += bytesRead
      if (bytesRead === 0 || length === bytes.length) break
    }
  } catch (error) {
    // The cause is left out: a library's error may hold what was read.
    throw unavailable(config, `${path} cannot be read (${codeOf(error)})`)
  }
  if (length > file_bytes_max)
    throw unavailable(config, `${path} is larger than ${file_bytes_max} bytes`)
  const text = bytes.toString('utf8', 0, length).replace(/\r?\n$/, '')
  bytes.fill(0)
  if (text === '') throw unavailable(config, `${path} is empty`)
  if (text.includes('\0')) throw unavailable(config, `${path} holds a zero byte`)
  return text
}

type Environment = Readonly<Record<string, string | undefined>>

const passwordOf = async (config: CredentialConfig, env: Environment): Promise<Secret> => {
  const { password, password_file, password_env } = config
  if (password_file !== undefined) return secretOf(await readShort(config, password_file))
  if (password_env !== undefined) {
    const value = env[password_env] ?? ''
    if (value === '')
      throw unavailable(config, `the environment variable ${password_env} is not set`)
    return secretOf(value)
  }
  if (password === undefined) throw unavailable(config, 'it has no source')
  return password
}

/**
 * User and password that stand somewhere: in the configuration, in files (read again for each session, so that a rotated password is the
 * next session's), in an environment variable.
 */
export const openStored = (config: CredentialConfig, env: Environment): CredentialSource => ({
  issue: async () => {
    const { name, user, user_file } = config
    const account = user_file === undefined ? user : await readShort(config, user_file)
    if (account === undefined) throw unavailable(config, 'it has no user')
    return { ...lasting, name, user: account, password: await passwordOf(config, env) }
  },
})
