import { hash } from 'node:crypto'
import { resolve } from 'node:path'
import type { PolicyRule } from '#core/policy/policy-rule.ts'
import type { PolicySet } from '#core/policy/policy-set.ts'
import type { SqlAnalysis } from '#core/sql/analysis.ts'
import type { SqlAnalyzer } from '#core/sql/analyzer.ts'
import type { SqlParser } from '#core/sql/parser.ts'
import type { ConfigProblem } from '#lib/config/problem.ts'
import type { Config } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import { defineCommand, type Output } from '../command.ts'
import type { CaseMasks } from '../policy/case-masks.ts'
import { safeLine } from '../terminal/safe-text.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Something that does not hold, at its place in the file. */
type Finding = ConfigProblem & { readonly name: string }

type FileResult = {
  readonly file: string
  readonly cases: number
  readonly failed: readonly Finding[]
  /** The file, or a case of it, cannot be used. */
  readonly errors: readonly ConfigProblem[]
}

type Scope = {
  readonly env: Environment
  readonly cwd: string
  /** Policies that are in force with those of each file. */
  readonly config_file: string | undefined
  readonly parser: SqlParser
  readonly analyzer: SqlAnalyzer
}

const unusable = (file: string, errors: readonly ConfigProblem[]): FileResult => ({
  file,
  cases: 0,
  failed: [],
  errors,
})

type Configured = {
  readonly policies: readonly PolicyRule[]
  /** Null without a configuration: nothing is masked. */
  readonly masking: Config['masking'] | null
  readonly errors: readonly ConfigProblem[]
}

/** The policies of the configuration but those of the file that is tested, which come from the file itself. */
const configured = async (
  { env, cwd, config_file }: Scope,
  tested: string,
  /** Names of the policies in it. */
  names: ReadonlySet<string>,
): Promise<Configured> => {
  if (config_file === undefined) return { policies: [], masking: null, errors: [] }
  const { loadConfig } = await import('#lib/config/load.ts')
  const loaded = loadConfig({ file: config_file, env, cwd })
  if (!loaded.ok)
    return {
      policies: [],
      masking: null,
      errors: loaded.errors.map((error) => ({ file: config_file, ...error })),
    }
  const { policies, policy_file, masking } = loaded.config
  const others = policies.filter(({ name }) => policy_file !== tested || !names.has(name))
  return { policies: others, masking, errors: [] }
}

const compile = async (rules: readonly PolicyRule[]): Promise<PolicySet> => {
  const { policyText } = await import('#core/policy/canonical.ts')
  const { compilePolicies } = await import('#core/policy/policy-set.ts')
  return compilePolicies(rules, hash('sha256', policyText(rules)))
}

const testFile = async (name: string, scope: Scope): Promise<FileResult> => {
  const file = resolve(scope.cwd, name)
  const { readPolicyFile } = await import('#lib/config/policy-file.ts')
  const { runCase } = await import('../policy/case-run.ts')
  const { openCaseMasks } = await import('../policy/case-masks.ts')
  const { caseCatalog } = await import('../policy/case-catalog.ts')
  const read = readPolicyFile(file, scope.env)
  if (!read.ok) return unusable(name, read.errors)
  const { content, source } = read
  const { policies, subjects, tables, cases } = content
  if (cases.length === 0)
    return unusable(name, [{ path: '', message: 'there are no cases in it: add some under cases' }])
  const others = await configured(scope, file, new Set(policies.map((policy) => policy.name)))
  if (others.errors.length > 0) return unusable(name, others.errors)
  const set = await compile([...others.policies, ...policies])
  const catalog = caseCatalog(tables)
  const masks =
    others.masking === null ? unmasked : openCaseMasks(others.masking, scope.parser, catalog)
  // Without tables nothing is known of the database, and names stay as they are written.
  const known = Object.keys(tables).length > 0 ? catalog : undefined
  const analyze = (sql: string, search_path: readonly string[]): SqlAnalysis =>
    scope.analyzer.analyze(sql, { catalog: known, search_path })
  const failed: Finding[] = []
  const errors: ConfigProblem[] = []
  cases.forEach((one, index) => {
    const subject = subjects[one.subject]
    // The file was checked: every subject is there.
    if (subject === undefined) return
    const result = runCase(one, subject, set, analyze, masks)
    if (result.outcome === 'passed') return
    const path = `cases[${index}]`
    const problem = { ...source.placeOf(['cases', index]), path, message: result.reason }
    if (result.outcome === 'failed') failed.push({ ...problem, name: one.name })
    else errors.push({ ...problem, message: `${one.name}: ${result.reason}` })
  })
  return { file: name, cases: cases.length, failed, errors }
}

const unmasked: CaseMasks = (_request, _sql, _path, decision) => decision

const place = ({ line, column }: ConfigProblem): string =>
  line === undefined ? '' : `:${line}:${column ?? 1}`

const report = async (out: Output, results: readonly FileResult[]): Promise<void> => {
  const { problemText } = await import('#lib/config/problem.ts')
  for (const { file, cases, failed, errors } of results) {
    for (const problem of errors)
      await out.print(safeLine(problemText({ ...problem, file: problem.file ?? file })))
    for (const problem of failed)
      await out.print(
        `${safeLine(`${file}${place(problem)}`)}: ${out.style.bad('failed:')} ${safeLine(`${problem.name}: ${problem.message}`)}`,
      )
    if (cases > 0) {
      const passed = cases - failed.length - errors.length
      await out.print(safeLine(`${file}: ${passed} of ${cases} cases passed`))
    }
  }
}

export const policyTest = defineCommand({
  name: 'policy test',
  summary: 'test policies against the cases in their files',
  positionals: ['FILE', '[FILE...]'],
  description: [
    'Each FILE holds policies, subjects and cases (schema: services/lib/config/policy.schema.json). A case says who asks, where, which command,',
    'and whether it must be allowed, denied, held or masked, and by which rules. Without sql the session itself is decided about.',
    '',
    'Nothing is connected to: names without a schema are looked up in the search_path of the case among the tables of the file, and',
    'what views and functions do is not known.',
    'Exit code 0 when every case passes, 1 when one fails, 2 when a file cannot be used.',
  ].join('\n'),
  options: {
    config: {
      type: 'string',
      value: 'FILE',
      doc: 'configuration whose policies and masking are in force together with each file',
    },
    json: { type: 'boolean', doc: 'one JSON object: ok, and per file cases, failed, errors' },
  },
  examples: [
    ['cairn policy test deploy/policies/ci-stages.yaml', 'the shipped example'],
    ['cairn policy test --config cairn.yaml policies/*.yaml', 'on top of a configuration'],
  ],
  run: async ({ values, positionals, env, cwd, out }) => {
    const { createSqlAnalyzer } = await import('#core/sql/analyzer.ts')
    const { loadSqlParser } = await import('#core/sql/parser.ts')
    const parser = await loadSqlParser()
    const analyzer = createSqlAnalyzer(parser)
    const results: FileResult[] = []
    for (const name of positionals)
      results.push(await testFile(name, { env, cwd, config_file: values.config, parser, analyzer }))
    const broken = results.filter(({ errors }) => errors.length > 0)
    const ok = results.every(({ failed, errors }) => failed.length + errors.length === 0)
    if (values.json) {
      await out.print(JSON.stringify({ ok, files: results }))
      return broken.length > 0 ? 2 : ok ? 0 : 1
    }
    await report(out, results)
    if (broken.length > 0)
      throw new CairnError(
        'config_invalid',
        `${broken.map(({ file }) => file).join(', ')} cannot be used`,
      )
    return ok ? 0 : 1
  },
})
