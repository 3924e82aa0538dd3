import { dirname } from 'node:path'
import { z } from 'zod'
import { explain } from './explanation.ts'
import { knownKeysOf, type JsonSchema } from './json-schema.ts'
import { pathText, type ConfigProblem, type Path } from './problem.ts'
import { resolveReferences } from './references.ts'
import { policies } from './sections/policies.ts'
import { cases, subjects, tables } from './sections/policy-cases.ts'
import type { ReadonlyDeep } from './schema.ts'
import { parseSource, type Source } from './source.ts'
import { readTextFile } from './text-file.ts'

/**
 * A file of policies (`policy_file` in the configuration): policies, and the cases that test them. Published as policy.schema.json, made
 * by generate.ts.
 */
const policyFileSchema = z
  .strictObject({ policies, subjects, tables, cases })
  .describe('Policies of Cairn, and cases to test them with.')

export type PolicyFile = ReadonlyDeep<z.output<typeof policyFileSchema>>

export type PolicyCase = PolicyFile['cases'][number]
export type PolicySubject = PolicyFile['subjects'][string]

/** JSON Schema (2020-12) of a policy file. */
export const policyFileJsonSchema = (): JsonSchema => {
  const schema = z.toJSONSchema(policyFileSchema, { io: 'input', target: 'draft-2020-12' })
  return { ...schema, title: 'Cairn policies' } as JsonSchema
}

export type PolicyFileResult =
  | {
      readonly ok: true
      readonly content: PolicyFile
      readonly source: Source
      /** Plain values as they are written, references resolved. */
      readonly tree: unknown
      readonly warnings: readonly ConfigProblem[]
    }
  | { readonly ok: false; readonly errors: readonly ConfigProblem[] }

let schema: JsonSchema | undefined

const knownKeys = (path: Path): readonly string[] => {
  schema ??= policyFileJsonSchema()
  return knownKeysOf(schema, path)
}

/** Cases name their subject. */
const unknownSubjects = ({ subjects: known, cases: all }: PolicyFile) =>
  all.flatMap(({ subject }, index) =>
    Object.hasOwn(known, subject)
      ? []
      : [
          {
            path: ['cases', index, 'subject'],
            message: `no subject has this name; known: ${Object.keys(known).slice(0, 10).join(', ') || 'none'}`,
          },
        ],
  )

/** Reads a file of policies. Every error has the file's name and its line. `file` is an absolute path. */
export const readPolicyFile = (
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): PolicyFileResult => {
  const failed = (errors: readonly ConfigProblem[]): PolicyFileResult => ({
    ok: false,
    errors: errors
      .map((error) => ({ ...error, file }))
      .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0)),
  })
  const read = readTextFile(file)
  if (!read.ok) return failed([read.error])
  const parsed = parseSource(read.text)
  if (!parsed.ok) return failed(parsed.errors)
  const { source } = parsed
  const located = ({ path, message }: { path: Path; message: string }): ConfigProblem => ({
    ...source.placeOf(path),
    path: pathText(path),
    message,
  })
  const resolved = resolveReferences(source.value, { env, folder: dirname(file) })
  if (resolved.errors.length > 0) return failed(resolved.errors.map(located))
  const checked = policyFileSchema.safeParse(resolved.value)
  if (!checked.success)
    return failed(explain(checked.error.issues, resolved.value, source, knownKeys))
  const content: PolicyFile = checked.data
  const unknown = unknownSubjects(content)
  if (unknown.length > 0) return failed(unknown.map(located))
  const warnings = resolved.warnings.map(located).map((warning) => ({ ...warning, file }))
  return { ok: true, content, source, tree: resolved.value, warnings }
}
