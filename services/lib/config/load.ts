import { createHash } from 'node:crypto'
import { dirname, isAbsolute, resolve } from 'node:path'
import {
  crossReferenceErrors,
  crossReferenceWarnings,
  policyFileReferenceErrors,
} from './cross-references.ts'
import { explain } from './explanation.ts'
import { applyOverrides } from './overrides.ts'
import { readPolicyFile, type PolicyFileResult } from './policy-file.ts'
import type { ConfigProblem, Path } from './problem.ts'
import { pathText } from './problem.ts'
import { resolveReferences } from './references.ts'
import { configSchema, type Config } from './schema.ts'
import { parseSource, type Source } from './source.ts'
import { readTextFile } from './text-file.ts'

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

/** Keys whose values are secrets. */
const secret_keys = new Set(['password', 'token', 'secret_id'])

const literalSecrets = (source: Source, value: unknown, path: Path = []): ConfigProblem[] => {
  if (value === null || typeof value !== 'object') return []
  return Object.entries(value).flatMap(([name, item]: [string, unknown]) => {
    const here = [...path, Array.isArray(value) ? Number(name) : name]
    if (!secret_keys.has(name)) return literalSecrets(source, item, here)
    const written = source.writtenAt(here)
    return typeof written === 'string' && !written.includes('${')
      ? [
          {
            ...source.placeOf(here),
            path: pathText(here),
            message: `a ${name === 'password' ? name : 'secret'} stands here in a file that everyone on this machine can read; chmod 600 it or use \${file:PATH}`,
          },
        ]
      : []
  })
}

type PolicyFileFound = Extract<PolicyFileResult, { ok: true }>

/** The policy file's own errors, and what does not fit between it and the configuration. */
const policyFileErrors = (
  tree: Readonly<Record<string, unknown>>,
  file: string,
  found: PolicyFileResult,
): readonly ConfigProblem[] =>
  found.ok
    ? policyFileReferenceErrors(tree, found.tree).map(({ path, message }) => ({
        ...found.source.placeOf(path),
        path: pathText(path),
        message,
        file,
      }))
    : found.errors

const withPolicyFile = (config: Config, found: PolicyFileFound | undefined): Config =>
  found === undefined
    ? config
    : { ...config, policies: [...config.policies, ...found.content.policies] }

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
  const policy_file = tree['policy_file']
  const found =
    typeof policy_file === 'string' && policy_file !== ''
      ? { file: policy_file, result: readPolicyFile(policy_file, env) }
      : undefined
  // A reference that failed left an empty text behind: what the schema says of that place is an echo.
  const broken = new Set(resolved.errors.map(({ path }) => pathText(path)))
  const errors = [
    ...override_errors,
    ...resolved.errors.map(located),
    ...(parsed.success ? [] : explain(parsed.error.issues, tree, source)).filter(
      ({ path }) => !broken.has(path),
    ),
    ...crossReferenceErrors(tree).map(located),
    ...(found === undefined ? [] : policyFileErrors(tree, found.file, found.result)),
  ]
  if (errors.length > 0 || !parsed.success || found?.result.ok === false) {
    return { ok: false, errors: errors.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)) }
  }
  const warnings = [
    ...resolved.warnings.map(located),
    ...crossReferenceWarnings(tree).map(located),
    ...(source !== undefined && given.world_readable ? literalSecrets(source, source.value) : []),
    ...(found?.result.warnings ?? []),
  ]
  const config = withPolicyFile(parsed.data, found?.result)
  return { ok: true, config, text_digest: given.text_digest, warnings }
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
  const read = readTextFile(file)
  if (!read.ok) return { ok: false, errors: [read.error] }
  const parsed = parseSource(read.text)
  if (!parsed.ok) return { ok: false, errors: parsed.errors }
  return check({
    ...base,
    source: parsed.source,
    folder: dirname(file),
    world_readable: read.world_readable,
    text_digest: createHash('sha256').update(read.bytes).digest('hex'),
  })
}
