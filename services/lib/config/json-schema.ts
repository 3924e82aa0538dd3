import { z } from 'zod'
import type { Path } from './problem.ts'
import { configSchema } from './schema.ts'

/** The part of JSON Schema that the configuration's schema is made of. */
export type JsonSchema = {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: boolean | JsonSchema
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly propertyNames?: JsonSchema
  readonly minimum?: number
  readonly maximum?: number
}

/** JSON Schema (2020-12) of the configuration as it is written in the file, before defaults and units. */
export const jsonSchema = (): JsonSchema => {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' })
  return { ...schema, title: 'Cairn configuration' } as JsonSchema
}

let cached: JsonSchema | undefined

/** Keys that a schema knows in the map at a path; none where it takes any key. */
export const knownKeysOf = (schema: JsonSchema, path: Path): readonly string[] => {
  let node: JsonSchema | undefined = schema
  for (const key of path) {
    const open: boolean | JsonSchema | undefined = node?.additionalProperties
    node =
      typeof key === 'number'
        ? node?.items
        : (node?.properties?.[key] ?? (typeof open === 'object' ? open : undefined))
  }
  return Object.keys(node?.properties ?? {})
}

/** Keys that the configuration knows in the map at a path. */
export const knownKeys = (path: Path): readonly string[] => {
  cached ??= jsonSchema()
  return knownKeysOf(cached, path)
}
