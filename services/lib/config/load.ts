import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, resolve } from 'node:path'
import { crossReferenceErrors, crossReferenceWarnings } from './cross-references.ts'
import { explain } from './explanation.ts'
import { applyOverrides } from './overrides.ts'
import type { ConfigProblem, Path } from './problem.ts'
import { pathText } from './problem.ts'
import { resolveReferences } from './references.ts'
import { configSchema, type Config } from './schema.ts'
import { parseSource, type Source } from './source.ts'

/** Largest configuration file. */
const config_bytes_max = 1024 * 1024

export type LoadResult =
  | {
      readonly ok: true
      readonly config: Config
      /** SHA-256 of the file's bytes, hex, before references are resolved; of nothing when there is no file. */
      readonly text_digest: string
      readonly warnings: readonly ConfigProblem[]
    }
  | { readonly ok: false; readonly errors: readonly ConfigProblem[] }

type Environment = Readonly<Record<string, string | undefined>>

const failed = (
  message: string,
  place?: { readonly line: number; readonly column: number },
): LoadResult => ({
  ok: false,
  errors: [{ ...place, path: '', message }],
})

/** Keys that hold a path: the schema's naming rule, relied on here. */
const isPathKey = (key: string): boolean => key === 'data_dir' || key.endsWith('_file')

const absolutePaths = (node: unknown, folder: string): unknown => {
  if (Array.isArray(node)) return node.map((item) => absolutePaths(item, folder))
  if (node === null || typeof node !== 'object') return node
  return Object.fromEntries(
    Object.entries(node).map(([key, value]: [string, unknown]) => [
      key,
      isPathKey(key) && typeof value === 'string' && value !== '' && !isAbsolute(value)
        ? resolve(folder, value)
        : absolutePaths(value, folder),
    ]),
  )
}

const literalSecrets = (source: Source, value: unknown, path: Path = []): ConfigProblem[] => {
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([name, item]: [string, unknown]) => {
    const here = [...path, Array.isArray(value) ? Number(name) : name]
    if (name !== 'password') return literalSecrets(source, item, here)
    const written = source.writtenAt(here)
    return typeof written === 'string' && !written.includes('${')
      ? [
          {
            ...source.placeOf(here),
            path: pathText(here),
            message:
              'a password stands here in a file that everyone on this machine can read; chmod 600 it or use ${file:PATH}',
          },
        ]
      : []
  })
}

type Given = {
  readonly source: Source | undefined
  readonly folder: string
  readonly env: Environment
  readonly cwd: string
  readonly world_readable: boolean
  readonly text_digest: string
}

const check = (given: Given): LoadResult => {
  const { source, folder, env, cwd } = given
  const located = ({ path, message }: { path: Path; message: string }): ConfigProblem => ({
    ...source?.placeOf(path),
    path: pathText(path),
    message,
  })
  const resolved = resolveReferences(source?.value ?? {}, { env, folder })
  const tree = absolutePaths(resolved.value, folder) as Record<string, unknown>
  const override_errors = applyOverrides(tree, env)
  if (typeof tree['data_dir'] === 'string' && tree['data_dir'] !== '')
    tree['data_dir'] = resolve(cwd, tree['data_dir'])
  tree['data_dir'] ??= resolve(cwd, 'data')

  const parsed = configSchema.safeParse(tree)
  // A reference that failed left an empty text behind: what the schema says of that place is an echo.
  const broken = new Set(resolved.errors.map(({ path }) => pathText(path)))
  const errors = [
    ...override_errors,
    ...resolved.errors.map(located),
    ...(parsed.success ? [] : explain(parsed.error.issues, tree, source)).filter(
      ({ path }) => !broken.has(path),
    ),
    ...crossReferenceErrors(tree).map(located),
  ]
  if (errors.length > 0 || !parsed.success) {
    return { ok: false, errors: errors.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)) }
  }
  const warnings = [
    ...resolved.warnings.map(located),
    ...crossReferenceWarnings(tree).map(located),
    ...(source !== undefined && given.world_readable ? literalSecrets(source, source.value) : []),
  ]
  return { ok: true, config: parsed.data, text_digest: given.text_digest, warnings }
}

const decode = (bytes: Uint8Array): string | { readonly bad_line: number } => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    // The first line that does not decode alone: UTF-8 never hides a line feed inside a character.
    let line = 1
    let start = 0
    for (;;) {
      const end = bytes.indexOf(0x0a, start)
      try {
        new TextDecoder('utf-8', { fatal: true }).decode(
          bytes.subarray(start, end === -1 ? bytes.length : end),
        )
      } catch {
        return { bad_line: line }
      }
      if (end === -1) return { bad_line: line }
      start = end + 1
      line += 1
    }
  }
}

type FileRead =
  { readonly bytes: Uint8Array; readonly world_readable: boolean } | { readonly error: string }

const readConfigFile = (file: string): FileRead => {
  try {
    const stat = statSync(file)
    if (!stat.isFile()) return { error: `${file} is not a file` }
    if (stat.size > config_bytes_max)
      return { error: `${file} is larger than ${config_bytes_max} bytes` }
    return { bytes: readFileSync(file), world_readable: (stat.mode & 0o004) !== 0 }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    return {
      error: code === 'ENOENT' ? `${file} does not exist` : `${file} cannot be read (${code})`,
    }
  }
}

/**
 * Loads the configuration: the file (if any), `${env:NAME}` and `${file:PATH}`, overrides from the environment, the schema and
 * what must hold between sections. Lists every error with its line, not only the first; prints no value behind a reference.
 *
 * Paths written in the file start at the file's folder; the default data_dir and CAIRN_DATA_DIR start at `cwd`. No file: defaults.
 */
export const loadConfig = (options: {
  readonly file?: string
  readonly env: Environment
  readonly cwd: string
}): LoadResult => {
  const base = { env: options.env, cwd: options.cwd }
  if (options.file === undefined) {
    const text_digest = createHash('sha256').digest('hex')
    return check({
      ...base,
      source: undefined,
      folder: options.cwd,
      world_readable: false,
      text_digest,
    })
  }
  const file = resolve(options.cwd, options.file)
  const read = readConfigFile(file)
  if ('error' in read) return failed(read.error)
  const text = decode(read.bytes)
  if (typeof text !== 'string') return failed('not UTF-8 text', { line: text.bad_line, column: 1 })
  const parsed = parseSource(text)
  if (!parsed.ok) return { ok: false, errors: parsed.errors }
  return check({
    ...base,
    source: parsed.source,
    folder: dirname(file),
    world_readable: read.world_readable,
    text_digest: createHash('sha256').update(read.bytes).digest('hex'),
  })
}
