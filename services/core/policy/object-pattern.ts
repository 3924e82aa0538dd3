import { anyOf, type Matcher } from './pattern.ts'

/**
 * Objects of policies:
 *
 *     pattern = [ schema "." ] name      each exact, or with `*` for any run of characters
 *
 * `public.orders`, `*.audit_*`, `orders` (in whatever schema), `*`. A name that holds a dot is quoted, as in SQL: `public."a.b"`. Letter case
 * counts: PostgreSQL folds what is not quoted to lower case, so patterns are in lower case.
 *
 * A command may name an object without its schema, and what that means is the server's search path. So there are two questions:
 * whether a rule *permits* an object (only if it certainly is one of the rule's), and whether it *concerns* it (if it may be).
 */
export type ObjectMatcher = {
  readonly permits: (object: string, path: SearchPath) => boolean
  readonly concerns: (object: string, path: SearchPath) => boolean
}

/** Schemas in the order in which an unqualified name is looked up; null when that is not known. */
export type SearchPath = readonly string[] | null

/** Parts of a dotted name: quotes taken off, doubled ones made one. */
export const nameParts = (name: string): readonly string[] => {
  if (!name.includes('"')) return name.split('.')
  const parts = name.match(/"(?:[^"]|"")*"|[^."]+/g) ?? []
  return parts.map((part) =>
    part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part,
  )
}

/** Whether a text is a pattern of objects. */
export const isObjectPattern = (pattern: string): boolean =>
  /^(?:(?:"(?:[^"]|"")+"|[^."\s]+)\.)?(?:"(?:[^"]|"")+"|[^."\s]+)$/.test(pattern)

/** Everything in pg_catalog that can be read begins so, and pg_catalog is searched first. */
const system_prefix = 'pg_'
const system_schema = 'pg_catalog'

/** The same for a name in its parts. */
type PartsMatcher = {
  readonly permits: (name: string, schema: string | undefined, path: SearchPath) => boolean
  readonly concerns: (name: string, schema: string | undefined, path: SearchPath) => boolean
}

const compileOne = (pattern: string): PartsMatcher => {
  const parts = nameParts(pattern)
  const any_name = parts.at(-1) === '*'
  const name = anyOf([parts.at(-1) ?? ''])
  const given = parts.at(-2)
  const schema: Matcher = given === undefined ? () => true : anyOf([given])
  const any_schema = given === undefined || given === '*'
  const inPath = (object: string, path: readonly string[]): readonly string[] =>
    object.startsWith(system_prefix) ? [system_schema, ...path] : path
  return {
    permits: (own, own_schema, path) => {
      if (!name(own)) return false
      if (own_schema !== undefined) return schema(own_schema)
      if (any_schema) return true
      const places = path === null ? [] : inPath(own, path)
      return places.length > 0 && places.every(schema)
    },
    concerns: (own, own_schema, path) => {
      if (own_schema !== undefined) return name(own) && schema(own_schema)
      // The schema itself, as in DROP SCHEMA.
      if (any_name && !any_schema && schema(own)) return true
      if (!name(own)) return false
      return !any_name || path === null || inPath(own, path).some(schema)
    },
  }
}

/** Compiles patterns of objects: one of them must match. */
export const compileObjects = (patterns: readonly string[]): ObjectMatcher => {
  const matchers = patterns.map(compileOne)
  const some =
    (question: keyof PartsMatcher) =>
    (object: string, path: SearchPath): boolean => {
      const parts = nameParts(object)
      const name = parts.at(-1) ?? ''
      const schema = parts.at(-2)
      return matchers.some((one) => one[question](name, schema, path))
    }
  return { permits: some('permits'), concerns: some('concerns') }
}
