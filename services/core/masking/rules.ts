import { claimAt } from '../identity/claim-reader.ts'
import type { Identity } from '../identity/identity.ts'
import { anyOf, type Matcher } from '../policy/pattern.ts'
import { columnMatcher, type ColumnName } from './column-pattern.ts'
import type { Detector } from './detector.ts'
import { customDetector, type CustomDetector } from './detectors/custom.ts'
import { detectors as builtin_detectors } from './detectors/index.ts'
import type { HashKey, Method } from './method.ts'

/** Who a rule is about. Within a field any pattern may match, all fields must; an empty field says nothing. */
export type Subjects = {
  readonly issuers: readonly string[]
  readonly groups: readonly string[]
  /** Claim to values; a claim that is a list matches with any of its entries, one that is absent never. */
  readonly claims: Readonly<Record<string, readonly string[]>>
  readonly roles: readonly string[]
}

/** One rule as it is written: what is masked, how, and for whom. */
export type MaskingRule = Subjects & {
  readonly name: string
  readonly columns: readonly string[]
  readonly detectors: readonly string[]
  readonly method: Method['kind']
  readonly partial: { readonly keep_first: number; readonly keep_last: number }
  readonly targets: readonly string[]
  readonly databases: readonly string[]
  /** Whoever this is about sees the values as they are; absent: nobody. */
  readonly unless?: Subjects | undefined
}

/** Where and for whom a session is. */
export type MaskingFacts = {
  readonly identity: Identity
  readonly target: string
  readonly role: string
  readonly database: string
}

/** A rule about columns, in force in a session. */
export type ColumnRule = {
  readonly name: string
  readonly method: Method
  readonly matches: (column: ColumnName) => boolean
}

/** A rule about what a detector finds, in force in a session. */
export type DetectorRule = {
  readonly rule: string
  readonly method: Method
  readonly detector: Detector
}

/** What is masked in one session; both lists in the order of the configuration, the first that fits counts. */
export type SessionRules = {
  readonly columns: readonly ColumnRule[]
  readonly detectors: readonly DetectorRule[]
}

export interface MaskingRules {
  /** The rules for a session; null when there are none. */
  forSession(facts: MaskingFacts): SessionRules | null
}

type Compiled = {
  readonly applies: (facts: MaskingFacts) => boolean
  readonly column: ColumnRule | null
  readonly detectors: readonly DetectorRule[]
}

const texts = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? (value as readonly unknown[]) : [value]).flatMap((item) =>
    typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean'
      ? [String(item)]
      : [],
  )

const given = (patterns: readonly string[]): Matcher | null =>
  patterns.length === 0 ? null : anyOf(patterns)

const subjectMatcher = ({
  issuers,
  groups,
  claims,
  roles,
}: Subjects): ((facts: MaskingFacts) => boolean) => {
  const issuer = given(issuers)
  const group = given(groups)
  const role = given(roles)
  const claim = Object.entries(claims).map(([name, values]) => ({ name, matches: anyOf(values) }))
  return ({ identity, role: asked }) =>
    (issuer === null || issuer(identity.issuer)) &&
    (group === null || identity.actor.groups.some(group)) &&
    (role === null || role(asked)) &&
    claim.every(({ name, matches }) => texts(claimAt(identity.claims, name)).some(matches))
}

const isEmpty = ({ issuers, groups, claims, roles }: Subjects): boolean =>
  issuers.length + groups.length + roles.length + Object.keys(claims).length === 0

const methodOf = (rule: MaskingRule, key: HashKey | null): Method => {
  if (rule.method === 'partial') return { kind: 'partial', ...rule.partial }
  if (rule.method !== 'hash') return { kind: rule.method }
  if (key === null) throw new TypeError(`rule ${rule.name} hashes, and there is no key`)
  return { kind: 'hash', key }
}

/**
 * Compiles the masking rules of a configuration. `key` null: no rule hashes.
 * @throws RE2JSException or RangeError for a custom detector that is no usable RE2; TypeError for an unknown detector
 */
export const compileMasking = (
  rules: readonly MaskingRule[],
  custom: readonly CustomDetector[],
  key: HashKey | null,
): MaskingRules => {
  const known = new Map<string, Detector>(builtin_detectors)
  for (const detector of custom) known.set(detector.name, customDetector(detector))
  const compiled = rules.map((rule): Compiled => {
    const target = given(rule.targets)
    const database = given(rule.databases)
    const subject = subjectMatcher(rule)
    const { unless } = rule
    // An empty exception would be one for everybody.
    const excepted = unless === undefined || isEmpty(unless) ? () => false : subjectMatcher(unless)
    const method = methodOf(rule, key)
    return {
      applies: (facts) =>
        (target === null || target(facts.target)) &&
        (database === null || database(facts.database)) &&
        subject(facts) &&
        !excepted(facts),
      column:
        rule.columns.length === 0
          ? null
          : { name: rule.name, method, matches: columnMatcher(rule.columns) },
      detectors: rule.detectors.map((name) => {
        const detector = known.get(name)
        if (detector === undefined) throw new TypeError(`no detector is called ${name}`)
        return { rule: rule.name, method, detector }
      }),
    }
  })
  return {
    forSession: (facts) => {
      const applying = compiled.filter(({ applies }) => applies(facts))
      if (applying.length === 0) return null
      return {
        columns: applying.flatMap(({ column }) => (column === null ? [] : [column])),
        detectors: applying.flatMap((rule) => rule.detectors),
      }
    },
  }
}
