import type { SqlAnalysed, SqlAnalysis } from './analysis.ts'
import { analyzeText, sql_limits, type SqlLimits } from './analyze.ts'
import { newDefinitionCache } from './database-environment.ts'
import { unknown_naming, type Naming } from './naming.ts'
import type { SqlParser } from './parser.ts'
import { templateOf, type Template } from './template.ts'

export type SqlAnalyzerOptions = {
  /** Texts and templates kept, each, for one naming. */
  readonly entries_max?: number
  /** Characters of kept texts and templates, each, for one naming. */
  readonly length_max?: number
  /** Namings (a catalog and a search path) whose texts are kept. */
  readonly namings_max?: number
  /** Longer texts are analysed each time. */
  readonly cached_text_length_max?: number
  readonly limits?: Partial<SqlLimits>
}

export type SqlAnalyzerStats = {
  readonly text_hits: number
  readonly template_hits: number
  readonly parses: number
  readonly unparsed: number
}

/** Analyses texts, the ones seen before without parsing. Results are shared: never change them. */
export interface SqlAnalyzer {
  /** `naming`: what names mean where the text runs; without it they stay as they are written. */
  analyze(text: string, naming?: Naming): SqlAnalysis
  stats(): SqlAnalyzerStats
}

/** What was read with one naming. */
type Caches = {
  readonly naming: Naming
  readonly texts: Bounded<SqlAnalysis>
  readonly templates: Bounded<SqlAnalysed>
}

type Bounded<T> = { get(key: string): T | undefined; set(key: string, value: T): void }

/**
 * Two generations: what is not used while one fills up is forgotten with the other. Twice the bounds at most, no bookkeeping on
 * a hit of the young one.
 */
const generations = <T>(entries_max: number, length_max: number): Bounded<T> => {
  let young = new Map<string, T>()
  let old = new Map<string, T>()
  let length = 0
  const set = (key: string, value: T): void => {
    if (young.size >= entries_max || length + key.length > length_max) {
      old = young
      young = new Map()
      length = 0
    }
    young.set(key, value)
    length += key.length
  }
  return {
    get(key) {
      const value = young.get(key)
      if (value !== undefined) return value
      const kept = old.get(key)
      if (kept !== undefined) set(key, kept)
      return kept
    },
    set,
  }
}

/** The analysis of a template, put where this text has its statement. */
const placed = (analysis: SqlAnalysed, { offset, length }: Template): SqlAnalysed => {
  const [statement] = analysis.statements
  if (!statement || (statement.offset === offset && statement.length === length)) return analysis
  return { ...analysis, statements: [{ ...statement, offset, length }] }
}

/** An analyzer with caches by text and by template (see template.ts). A hit takes one to three microseconds, a parse a hundred. */
export const createSqlAnalyzer = (
  parser: SqlParser,
  options: SqlAnalyzerOptions = {},
): SqlAnalyzer => {
  const { entries_max = 10_000, length_max = 16 * 1024 * 1024, namings_max = 32 } = options
  const { cached_text_length_max = 64 * 1024 } = options
  const limits: SqlLimits = { ...sql_limits, ...options.limits }
  const definitions = newDefinitionCache()
  const caches = new Map<Naming, Caches>()
  /** Of the text before: sessions of one kind ask in a row. */
  let latest: Caches | undefined
  const stats = { text_hits: 0, template_hits: 0, parses: 0, unparsed: 0 }

  const cachesOf = (given: Naming): Caches => {
    // Without a catalog nothing is resolved, whatever the path.
    const naming = given.catalog === undefined ? unknown_naming : given
    if (latest?.naming === naming) return latest
    let found = caches.get(naming)
    caches.delete(naming)
    if (found === undefined) {
      found = {
        naming,
        texts: generations<SqlAnalysis>(entries_max, length_max),
        templates: generations<SqlAnalysed>(entries_max, length_max),
      }
      const [oldest] = caches.keys()
      if (caches.size >= namings_max && oldest !== undefined) caches.delete(oldest)
    }
    // The latest used stands last.
    caches.set(naming, found)
    latest = found
    return found
  }

  const parse = (
    text: string,
    template: Template | undefined,
    { naming, texts, templates }: Caches,
  ): SqlAnalysis => {
    stats.parses += 1
    const { analysis, literal_dependent } = analyzeText(parser, text, limits, naming, definitions)
    if (!analysis.ok) stats.unparsed += 1
    if (analysis.ok && template && !literal_dependent) templates.set(template.key, analysis)
    // A parser that was not ready says nothing about the text.
    else if (analysis.ok || analysis.kind !== 'unavailable') texts.set(text, analysis)
    return analysis
  }

  return {
    analyze(text, naming = unknown_naming) {
      if (text.length > cached_text_length_max) {
        stats.parses += 1
        return analyzeText(parser, text, limits, naming, definitions).analysis
      }
      const kept = cachesOf(naming)
      const known = kept.texts.get(text)
      if (known) {
        stats.text_hits += 1
        return known
      }
      const template = templateOf(text)
      const like = template && kept.templates.get(template.key)
      if (!template || !like) return parse(text, template, kept)
      stats.template_hits += 1
      return placed(like, template)
    },
    stats: () => ({ ...stats }),
  }
}
