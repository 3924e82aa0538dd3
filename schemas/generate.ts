import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { catalogueText, type Released } from './emit-catalogue.ts'
import { typesText } from './emit-types.ts'
import { readSource, type Source } from './source.ts'

/**
 * `npm run generate`: writes what follows from `schemas/*.avsc`. A test does the same in memory and compares.
 */
const root = join(import.meta.dirname, '..')

const releasedSchemas = async (folder: string): Promise<readonly Released[]> => {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.avsc')).sort()
  return Promise.all(
    files.map(async (file) => {
      const schema = JSON.parse(await readFile(join(folder, file), 'utf8')) as {
        readonly event: string
        readonly schemaId: number
      }
      return { event: schema.event, schemaId: schema.schemaId, text: JSON.stringify(schema) }
    }),
  )
}

const older = async ({ events }: Source, folder: string): Promise<readonly Released[]> =>
  (await releasedSchemas(folder)).filter(
    ({ schemaId }) => !events.some((event) => event.schemaId === schemaId),
  )

/** Every generated file, by its path from the repository's root, formatted as prettier wants it. */
export const generated = async (
  folder = join(root, 'schemas'),
): Promise<ReadonlyMap<string, string>> => {
  const source = await readSource(folder)
  const files = new Map([
    ['services/core/events/types.ts', typesText(source)],
    [
      'services/core/events/catalogue.ts',
      catalogueText(source, await older(source, join(folder, 'released'))),
    ],
  ])
  const options = (await resolveConfig(join(root, 'schemas/generate.ts'))) ?? {}
  return new Map(
    await Promise.all(
      [...files].map(async ([path, text]): Promise<[string, string]> => [
        path,
        await format(text, { ...options, filepath: path }),
      ]),
    ),
  )
}

if (import.meta.main) {
  for (const [path, text] of await generated()) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}
