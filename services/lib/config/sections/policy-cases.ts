import { z } from 'zod'
import { presets, type PresetName } from '#core/identity/presets/registry.ts'
import { isObjectPattern } from '#core/policy/object-pattern.ts'
import { pipeline_fields } from '#core/policy/policy-rule.ts'
import { name, text } from '../scalars.ts'

const subject = z
  .strictObject({
    issuer: name('Issuer, by its name in the configuration.'),
    preset: z
      .enum(Object.keys(presets) as [PresetName, ...PresetName[]])
      .default('generic')
      .describe('How the claims become actor and CI run, as the issuer is configured.'),
    claims: z
      .record(z.string().min(1).max(256), z.unknown())
      .default({})
      .describe('Claims of the token.'),
    actor: z
      .enum(['human', 'workload', 'agent'])
      .exactOptional()
      .describe('Kind of actor; default as the preset says.'),
    groups: z
      .array(z.string().max(256))
      .max(500)
      .exactOptional()
      .describe('Groups of the actor; default as the preset reads them from the claims.'),
    pipeline: z
      .partialRecord(z.enum(pipeline_fields), z.string().max(1024))
      .exactOptional()
      .describe('Fields of the CI run, on top of what the preset reads from the claims.'),
  })
  .describe('Who asks.')

export const subjects = z
  .record(z.string().min(1).max(63), subject)
  .default({})
  .describe('Who asks, by a name that cases use.')

export const tables = z
  .record(
    z.string().max(256).refine(isObjectPattern, { error: 'expected schema.name or name' }),
    z.array(z.string().min(1).max(63)).max(1600),
  )
  .default({})
  .describe('Tables that cases speak of, with their columns: schema.name, default schema public.')

const policyCase = z
  .strictObject({
    name: text('What is tested, in words.', 256),
    subject: text('Name of a subject.', 63),
    target: name('Target.'),
    role: name('Role at the target.'),
    database: text('Database; default the name of the target.', 63).exactOptional(),
    address: text('Address of the client.', 64).default('192.0.2.1'),
    client_software: z
      .string()
      .max(256)
      .default('')
      .describe('Client software as it names itself.'),
    search_path: z
      .array(z.string().min(1).max(63))
      .max(100)
      .default(['public'])
      .describe('Schemas in which names without a schema are looked up.'),
    now: z.iso
      .datetime({ error: 'expected a time as 2026-03-02T10:00:00Z' })
      .default('2026-03-02T10:00:00Z')
      .describe('Time at which it is decided.'),
    sql: text('Command; without it the session itself is decided about.', 65_536).exactOptional(),
    parameters: z
      .array(z.union([z.string().max(65_536), z.null()]))
      .max(1000)
      .default([])
      .describe('Bound values in text form.'),
    expect: z
      .enum(['allow', 'deny', 'hold', 'mask'])
      .describe('What must be said; mask by the masking rules of the configuration.'),
    rules: z
      .array(z.string().min(1).max(128))
      .max(100)
      .exactOptional()
      .describe('The policies that must say so, all of them, in any order.'),
  })
  .describe('One case.')

export const cases = z
  .array(policyCase)
  .max(10_000)
  .default([])
  .describe('What the policies must say; run by `cairn policy test`.')
