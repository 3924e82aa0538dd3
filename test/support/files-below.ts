import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What disappears while it is looked at (parts that ClickHouse merges, segments that are recycled) is no failure. */
const unlessGone =
  <T>(instead: T) =>
  (error: NodeJS.ErrnoException): T => {
    if (error.code === 'ENOENT') return instead
    throw error
  }

/** Every file below a folder that is in use, with its content. */
export const filesBelow = async (folder: string): Promise<ReadonlyMap<string, Buffer>> => {
  const found = new Map<string, Buffer>()
  const folders = [folder]
  for (let at = folders.pop(); at !== undefined; at = folders.pop())
    for (const entry of await readdir(at, { withFileTypes: true }).catch(unlessGone([]))) {
      const path = join(at, entry.name)
      if (entry.isDirectory()) folders.push(path)
      else if (entry.isFile()) {
        const content = await readFile(path).catch(unlessGone(null))
        if (content !== null) found.set(path, content)
      }
    }
  return found
}
