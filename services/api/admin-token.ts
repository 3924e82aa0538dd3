import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { CairnError } from '#lib/error.ts'
import { readOrCreatePrivateFile } from '#lib/private-file.ts'
import type { Caller } from './caller.ts'

const token_bytes = 32

/** Where this machine's admin token is kept. */
export const adminTokenFile = (data_dir: string): string => join(data_dir, 'keys', 'admin-token')

/** Who comes with the admin token: whoever can read the data folder of this machine. */
export const local_admin: Caller = {
  issuer: 'cairn',
  subject: 'local-admin',
  roles: new Set(['admin']),
  actor: null,
  pipeline: null,
  names: [],
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/**
 * Opens the admin token of this machine: 32 random bytes, base64url, in `data_dir/keys/admin-token` (0600), made at the first start. The
 * command line on the same machine reads it. Gives the comparison, which takes the same time for every wrong token.
 *
 * Throws CairnError('config_invalid') when the file holds something shorter.
 */
export const openAdminToken = async (data_dir: string): Promise<(presented: string) => boolean> => {
  const file = adminTokenFile(data_dir)
  const content = await readOrCreatePrivateFile(file, () =>
    Promise.resolve(`${randomBytes(token_bytes).toString('base64url')}\n`),
  )
  const token = content.toString('utf8').trim()
  if (Buffer.from(token, 'base64url').length < token_bytes)
    throw new CairnError('config_invalid', `${file} holds no admin token; remove it`)
  const expected = digest(token)
  return (presented) => timingSafeEqual(digest(presented), expected)
}
