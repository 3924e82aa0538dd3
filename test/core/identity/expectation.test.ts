import { describe, expect, it } from 'vitest'
import { contextDifferences } from '#core/identity/expectation.ts'
import type { Identity } from '#core/identity/identity.ts'
import { mapIdentity } from '#core/identity/mapping.ts'
import { githubClaims } from '../../support/token-shapes.ts'

const identity = (claims: Readonly<Record<string, unknown>> = {}): Identity => {
  const found = mapIdentity(
    { name: 'ci', preset: 'github-actions', claims: {} },
    { iss: 'https://issuer.example.test', ...githubClaims(), ...claims },
    '00',
  )
  if (!found.ok) throw new Error(found.detail)
  return found.identity
}

const deploy = {
  issuer: ['ci'],
  repository: ['acme/shop'],
  ref: ['refs/heads/main', 'refs/tags/v*'],
  workflow: ['acme/shop/.github/workflows/deploy.yml@*'],
  environment: ['production'],
}

describe('an expected job', () => {
  it('is any where none is named', () => {
    expect(contextDifferences([], identity())).toEqual([])
  })

  it('fits when each named field matches one of its values', () => {
    expect(contextDifferences([deploy], identity())).toEqual([])
    expect(contextDifferences([deploy], identity({ ref: 'refs/tags/v1.2' }))).toEqual([])
  })

  it('differs in each field that matches none, in the words of the configuration and of the token', () => {
    expect(
      contextDifferences([deploy], identity({ ref: 'refs/heads/feature', environment: undefined })),
    ).toEqual([
      { field: 'ref', expected: 'refs/heads/main | refs/tags/v*', actual: 'refs/heads/feature' },
      { field: 'environment', expected: 'production', actual: '' },
    ])
  })

  it('is one of several: one that fits is enough, else the closest tells what differs', () => {
    const other = { repository: ['acme/tools'], environment: ['staging'] }
    expect(contextDifferences([other, deploy], identity())).toEqual([])
    expect(contextDifferences([other, deploy], identity({ environment: 'staging' }))).toEqual([
      { field: 'repository', expected: 'acme/tools', actual: 'acme/shop' },
    ])
    expect(contextDifferences([other, deploy], identity({ ref: 'refs/heads/x' }))).toEqual([
      { field: 'ref', expected: 'refs/heads/main | refs/tags/v*', actual: 'refs/heads/x' },
    ])
  })

  it('wants a value, whatever it is, where it names a field; a person has no pipeline', () => {
    const person: Identity = { ...identity(), pipeline: null }
    expect(contextDifferences([{ repository: ['*'] }], person)).toEqual([
      { field: 'repository', expected: '*', actual: '' },
    ])
    const without = identity({ environment: undefined })
    expect(contextDifferences([{ environment: ['*'] }], without)).toHaveLength(1)
    expect(contextDifferences([{ environment: [''] }], without)).toEqual([])
    expect(contextDifferences([{ environment: [''] }], identity())).toHaveLength(1)
  })

  it('matches names whole and in their case', () => {
    for (const ref of ['refs/heads/main2', 'xrefs/heads/main', 'refs/heads/Main', ''])
      expect(contextDifferences([{ ref: ['refs/heads/main'] }], identity({ ref }))).toHaveLength(1)
  })
})
