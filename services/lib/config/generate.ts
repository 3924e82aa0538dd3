import { readFile, writeFile } from 'node:fs/promises'
import { format, resolveConfig } from 'prettier'
import { jsonSchema, type JsonSchema } from './json-schema.ts'
import { policyFileJsonSchema } from './policy-file.ts'

/** Writes the published JSON Schemas and the table of keys in the README: `node services/lib/config/generate.ts`. */

const schema_file = new URL('cairn.schema.json', import.meta.url)
const policy_schema_file = new URL('policy.schema.json', import.meta.url)
const readme_file = new URL('README.md', import.meta.url)
const begin = '<!-- keys: written by generate.ts -->'
const end = '<!-- end of keys -->'

const kindOf = (schema: JsonSchema): string => {
  if (schema.enum !== undefined)
    return schema.enum.map((value) => `\`${String(value)}\``).join(' \\| ')
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(kindOf))].join(' or ')
  if (schema.type === 'array')
    return `list of ${schema.items === undefined ? 'values' : kindOf(schema.items)}`
  if (schema.type === 'object') return 'keys'
  return (
    { string: 'text', integer: 'number', number: 'number', boolean: 'true or false' }[
      schema.type ?? ''
    ] ?? 'value'
  )
}

const defaultOf = (schema: JsonSchema, required: boolean): string => {
  if (required) return '**required**'
  const value = schema.default
  if (value === undefined) return ''
  return typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length === 0 &&
    !Array.isArray(value)
    ? ''
    : `\`${JSON.stringify(value)}\``
}

const rows = (schema: JsonSchema, path: string): readonly string[] =>
  Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
    const here = path === '' ? key : `${path}.${key}`
    const required = schema.required?.includes(key) === true
    const row = `| \`${here}\` | ${kindOf(child)} | ${defaultOf(child, required)} | ${child.description ?? ''} |`
    const inner =
      child.items?.properties === undefined ? rows(child, here) : rows(child.items, `${here}[]`)
    return [row].concat(inner)
  })

const formatted = async (schema: JsonSchema): Promise<string> => {
  const options = (await resolveConfig(schema_file)) ?? {}
  return format(JSON.stringify(schema), { ...options, parser: 'json' })
}

/** The schema file's text as it must be. */
export const schemaText = (): Promise<string> => formatted(jsonSchema())

/** The text of the schema of policy files as it must be. */
export const policySchemaText = (): Promise<string> => formatted(policyFileJsonSchema())

/** The README's text as it must be, from the text it has. */
export const readmeText = async (now: string): Promise<string> => {
  const table = [
    '| key | value | default | what |',
    '|---|---|---|---|',
    ...rows(jsonSchema(), ''),
  ].join('\n')
  const before = now.slice(0, now.indexOf(begin) + begin.length)
  const after = now.slice(now.indexOf(end))
  const options = (await resolveConfig(readme_file)) ?? {}
  return format(`${before}\n\n${table}\n\n${after}`, { ...options, parser: 'markdown' })
}

if (import.meta.main) {
  await writeFile(schema_file, await schemaText())
  await writeFile(policy_schema_file, await policySchemaText())
  await writeFile(readme_file, await readmeText(await readFile(readme_file, 'utf8')))
}
