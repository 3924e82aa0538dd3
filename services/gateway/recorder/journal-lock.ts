import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CairnError } from '#lib/error.ts'

const ownerOf = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return 'another process'
  }
}

const isLocked = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && (error.errcode === 5 || error.errcode === 6)

/**
 * Takes a journal's folder for this process, creating it where missing. The lock is the kernel's (an exclusive lock on a SQLite
 * file, the one way to a file lock that Node has), so it ends with its process, however that ends: a stale lock cannot be. Who
 * holds it stands in `owner`, for people.
 * @throws CairnError('audit_unavailable') another process has it, or the folder cannot be written
 */
export const lockJournal = (folder: string): Disposable => {
  const owner = join(folder, 'owner')
  let database: DatabaseSync | undefined
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    database = new DatabaseSync(join(folder, 'lock'), { timeout: 0 })
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    writeFileSync(owner, `process ${process.pid}\n`, { mode: 0o600 })
  } catch (error) {
    database?.close()
    if (isLocked(error))
      throw new CairnError('audit_unavailable', `${folder} is in use by ${ownerOf(owner)}`)
    const detail = error instanceof Error ? error.message : String(error)
    throw new CairnError('audit_unavailable', `${folder} cannot be used: ${detail}`, {
      cause: error,
    })
  }
  const held = database
  return {
    [Symbol.dispose]: () => {
      rmSync(owner, { force: true })
      held.close()
    },
  }
}
