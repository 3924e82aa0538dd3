import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined

const readIfThere = async (path: string): Promise<Buffer | undefined> => {
  try {
    return await readFile(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

const syncFolder = async (path: string): Promise<void> => {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a file beside `path`, synced, readable by its owner only; `place` then gives it its name. */
const placeFile = async (
  path: string,
  content: Buffer | string,
  place: (candidate: string) => Promise<void>,
): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const candidate = `${path}.${process.pid}.${randomBytes(6).toString('hex')}.new`
  try {
    const handle = await open(candidate, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await place(candidate)
    await syncFolder(dirname(path))
  } finally {
    await rm(candidate, { force: true })
  }
}

/**
 * Reads a file that one process makes for all: keys, certificates, tokens. If it is not there, its content is made and
 * put in place whole, by link(2): of several processes that race, one wins and all get the winner's content. The file is
 * readable by its owner only (0600, a new folder 0700) and durable on return.
 */
export const readOrCreatePrivateFile = async (
  path: string,
  make: () => Promise<Buffer | string>,
): Promise<Buffer> => {
  const there = await readIfThere(path)
  if (there !== undefined) return there
  await placeFile(path, await make(), (candidate) =>
    link(candidate, path).catch((error: unknown) => {
      // Another process was first: its content counts.
      if (codeOf(error) !== 'EEXIST') throw error
    }),
  )
  return readFile(path)
}

/** Gives a file this content, whole or not at all (rename(2)), unless it has it already. Owner only, durable on return. */
export const replaceFile = async (path: string, content: Buffer | string): Promise<void> => {
  const there = await readIfThere(path)
  if (there?.equals(Buffer.from(content)) === true) return
  await placeFile(path, content, (candidate) => rename(candidate, path))
}
