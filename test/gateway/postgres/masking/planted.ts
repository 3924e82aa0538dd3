import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Every file below a folder that holds one of the values, in text or in hex, with the value. */
export const leaksIn = async (
  folder: string,
  planted: readonly string[],
): Promise<readonly string[]> => {
  const leaked: string[] = []
  for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue
    const content = await readFile(join(file.parentPath, file.name)).catch(() => Buffer.alloc(0))
    for (const value of planted) {
      const bytes = Buffer.from(value)
      if (content.includes(bytes) || content.includes(bytes.toString('hex')))
        leaked.push(`${file.name}: ${value}`)
    }
  }
  return leaked
}
