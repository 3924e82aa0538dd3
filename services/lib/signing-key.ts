import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CairnError } from './error.ts'
import { readOrCreatePrivateFile, replaceFile } from './private-file.ts'

/**
 * Ed25519 keys under `data_dir/keys`: NAME.pem (0600) signs and is where the api is, NAME.pub beside it verifies and is all that a gateway
 * elsewhere needs.
 */

/** The key of approvals: the api signs people's decisions with it. */
export const approval_key = 'approval-signing'

const usable = (file: string, make: () => KeyObject): KeyObject => {
  let key: KeyObject | undefined
  try {
    key = make()
  } catch {
    // The library's message may quote key material; the file's name is enough.
  }
  if (key?.asymmetricKeyType !== 'ed25519')
    throw new CairnError(
      'config_invalid',
      `${file} holds no usable Ed25519 key; restore or remove it`,
    )
  return key
}

/**
 * Opens the key that signs, made by whichever process comes first.
 * @throws CairnError('config_invalid') the file is no such key
 */
export const openSigningKey = async (data_dir: string, name: string): Promise<KeyObject> => {
  const file = join(data_dir, 'keys', `${name}.pem`)
  const pem = await readOrCreatePrivateFile(file, () =>
    Promise.resolve(
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ),
  )
  const key = usable(file, () => createPrivateKey(pem))
  const spki = createPublicKey(key).export({ type: 'spki', format: 'pem' })
  await replaceFile(join(data_dir, 'keys', `${name}.pub`), spki)
  return key
}

/** Opens the key that verifies. Where neither file is there yet, the pair is made. Throws as `openSigningKey`. */
export const openVerifyingKey = async (data_dir: string, name: string): Promise<KeyObject> => {
  const file = join(data_dir, 'keys', `${name}.pub`)
  const pem = await readFile(file).catch(() => null)
  if (pem === null) return createPublicKey(await openSigningKey(data_dir, name))
  return usable(file, () => createPublicKey(pem))
}
