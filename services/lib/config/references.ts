import { readFileSync, statSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import type { Path } from './problem.ts'

/** Largest file that `${file:PATH}` reads. */
const secret_file_bytes_max = 65_536

type Finding = { readonly path: Path; readonly message: string }

export type Resolved = {
  readonly value: unknown
  readonly errors: readonly Finding[]
  readonly warnings: readonly Finding[]
}

export type ReferenceScope = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Folder that relative paths start at. */
  readonly folder: string
}

const reference = /\$(\$\{|\{([^}]*)\})/g
const world_readable = 0o004

const withoutLastNewline = (text: string): string => text.replace(/\r?\n$/, '')

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'

type Lookup = { readonly text: string; readonly warning?: string } | { readonly error: string }

const fromFile = (path: string, folder: string): Lookup => {
  const absolute = isAbsolute(path) ? path : resolve(folder, path)
  try {
    const stat = statSync(absolute)
    if (!stat.isFile()) return { error: `\${file:${path}}: not a file` }
    if (stat.size > secret_file_bytes_max) {
      return { error: `\${file:${path}}: larger than ${secret_file_bytes_max} bytes` }
    }
    const text = withoutLastNewline(readFileSync(absolute, 'utf8'))
    if (text === '') return { error: `\${file:${path}}: the file is empty` }
    return (stat.mode & world_readable) === 0
      ? { text }
      : {
          text,
          warning: `\${file:${path}}: everyone on this machine can read the file; chmod 600 it`,
        }
  } catch (error) {
    return { error: `\${file:${path}}: cannot be read (${codeOf(error)})` }
  }
}

const lookup = (body: string, scope: ReferenceScope): Lookup => {
  const colon = body.indexOf(':')
  const kind = body.slice(0, Math.max(colon, 0))
  const operand = body.slice(colon + 1)
  if (kind === 'file' && operand !== '') return fromFile(operand, scope.folder)
  if (kind === 'env' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(operand)) {
    const text = scope.env[operand]
    if (text === undefined || text === '')
      return { error: `\${env:${operand}}: the environment variable is not set` }
    return { text: withoutLastNewline(text) }
  }
  return { error: 'not a reference: expected ${env:NAME} or ${file:PATH} ($${ for a literal ${)' }
}

/**
 * Replaces `${env:NAME}` and `${file:PATH}` in every text of a plain value; `$${` stands for a literal `${`. What comes in by a
 * reference is never looked at again, so that a value cannot name another one. Messages name the reference, never the value.
 */
export const resolveReferences = (value: unknown, scope: ReferenceScope): Resolved => {
  const errors: Finding[] = []
  const warnings: Finding[] = []
  const resolveText = (text: string, path: Path): string =>
    text.replace(reference, (_match, body: string, operand: string | undefined) => {
      if (body === '${' || operand === undefined) return '${'
      const found = lookup(operand, scope)
      if ('error' in found) {
        errors.push({ path, message: found.error })
        return ''
      }
      if (found.warning !== undefined) warnings.push({ path, message: found.warning })
      return found.text
    })
  const walk = (node: unknown, path: Path): unknown => {
    if (typeof node === 'string') return node.includes('${') ? resolveText(node, path) : node
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]))
    if (node !== null && typeof node === 'object') {
      return Object.fromEntries(
        Object.entries(node).map(([key, item]) => [key, walk(item, [...path, key])]),
      )
    }
    return node
  }
  return { value: walk(value, []), errors, warnings }
}
