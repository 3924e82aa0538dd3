import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { format, resolveConfig, type Options } from 'prettier'
import { catalogueText, type Released } from './emit-catalogue.ts'
import { jsonSchemas } from './emit-json-schema.ts'
import { pageText, type Examples } from './emit-page.ts'
import { typesText } from './emit-types.ts'
import { assembled, readSource, type EventSchema, type Source } from './source.ts'

/**
 * `npm run generate`: writes what follows from `schemas/*.avsc`; a test does the same in memory and
 * compares. `npm run generate -- --release` also keeps the present schemas under
 * `schemas/released`, where they stay for ever: readers resolve what was written with them, and a
 * test holds every later version compatible. A released file is never written again.
 */
const root = join(import.meta.dirname, '..')

/** A released schema of an event, context written out. */
export const releasedEvents = async (
  folder = join(root, 'schemas/released'),
): Promise<readonly EventSchema[]> => {
  const files = (await readdir(folder)).filter((file) => /^[a-z]+\.[a-z]+\.\d+\.avsc$/.test(file))
  return Promise.all(
    files
      .sort()
      .map(async (file) => JSON.parse(await readFile(join(folder, file), 'utf8')) as EventSchema),
  )
}

const older = async ({ events }: Source, folder: string): Promise<readonly Released[]> =>
  (await releasedEvents(folder)).flatMap((schema) =>
    events.some(({ schemaId }) => schemaId === schema.schemaId)
      ? []
      : [{ schemaId: schema.schemaId, text: JSON.stringify(schema) }],
  )

const prettierOptions = async (): Promise<Options> =>
  (await resolveConfig(join(root, 'schemas/generate.ts'))) ?? {}

/** Keeps the present schemas for ever. */
const release = async (): Promise<void> => {
  const { context, header, events } = await readSource(join(root, 'schemas'))
  const options = await prettierOptions()
  const files = [
    ['record-header.avsc', header] as const,
    ...events.map(
      (event) => [`${event.event}.${event.schemaId}.avsc`, assembled(event, context)] as const,
    ),
  ]
  for (const [file, schema] of files) {
    const text = await format(JSON.stringify(schema), { ...options, filepath: file })
    await writeFile(join(root, 'schemas/released', file), text, { flag: 'wx' }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error
      },
    )
  }
}

/** Golden examples of the present schemas; they are written by the golden test (`vitest -u`). */
const goldenExamples = async (): Promise<Examples> => {
  const folder = join(root, 'test/core/events/golden')
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json'))
  const examples = await Promise.all(
    files.map(async (file) => JSON.parse(await readFile(join(folder, file), 'utf8')) as Example),
  )
  return new Map(examples.map(({ schemaId, event }) => [schemaId, event]))
}

type Example = { readonly schemaId: number; readonly event: unknown }

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
    ['schemas/CATALOGUE.md', pageText(source, await goldenExamples())],
    ...[...jsonSchemas(source)].map(([file, text]): [string, string] => [
      `schemas/json/${file}`,
      text,
    ]),
  ])
  const options = await prettierOptions()
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
  if (process.argv.includes('--release')) await release()
  for (const [path, text] of await generated()) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), text)
  }
}
