import { describe, expect, it } from 'vitest'
import { openApi } from '../../services/api/openapi.ts'
import { routes } from '../../services/api/routes/registry.ts'

type Operation = {
  readonly summary: string
  readonly security: readonly object[]
  readonly parameters?: readonly {
    readonly name: string
    readonly in: string
    readonly required: boolean
  }[]
  readonly responses: Readonly<Record<string, unknown>>
  readonly 'x-roles'?: readonly string[]
}
type Document = { readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }

const document = JSON.parse(JSON.stringify(openApi(routes, '1.2.3'))) as Document

describe('the OpenAPI document', () => {
  it('has every route and nothing else', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(described.toSorted()).toEqual(
      routes.map(({ method, path }) => `${method} ${path}`).toSorted(),
    )
  })

  it('advertises nothing that comes later', () => {
    for (const path of Object.keys(document.paths))
      expect(path).not.toMatch(/alerts|evidence|stream|proofs/)
  })

  it('describes parameters where they stand, with every path parameter', () => {
    for (const [path, methods] of Object.entries(document.paths))
      for (const operation of Object.values(methods)) {
        const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
        const described = (operation.parameters ?? [])
          .filter((parameter) => parameter.in === 'path' && parameter.required)
          .map(({ name }) => name)
        expect(described, path).toEqual(names)
      }
  })

  it('says who may call and what comes back', () => {
    const operation = document.paths['/v1/commands']?.['get']
    expect(operation?.security).toEqual([{ bearer: [] }])
    expect(operation?.['x-roles']).toContain('developer')
    expect(operation?.parameters?.map(({ name }) => name)).toContain('q')
    expect(Object.keys(operation?.responses ?? {})).toEqual(['200', 'default'])
    expect(document.paths['/healthz']?.['get']?.security).toEqual([])
  })

  it('resolves every reference inside itself', () => {
    const text = JSON.stringify(document)
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g))
      expect(text).toContain(`"${name}":{`)
  })
})
