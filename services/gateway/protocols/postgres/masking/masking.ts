import { compileMasking, type MaskingFacts } from '#core/masking/rules.ts'
import { hashKey } from '#core/masking/method.ts'
import type { LineageReader } from '#core/sql/lineage/cached-reader.ts'
import type { SqlParser } from '#core/sql/parser.ts'
import type { Config } from '#lib/config/schema.ts'
import { counter } from '#lib/metrics.ts'
import { openMaskSession, type MaskSession } from './mask-session.ts'

/** The masking rules in force. */
export interface Masking {
  /** What is masked in a session; null when nothing is. */
  forSession(facts: MaskingFacts): MaskSession | null
}

/**
 * Opens the masking rules of a configuration.
 * @throws RE2JSException, RangeError or TypeError for rules that the configuration's check would have refused
 */
export const openMasking = (
  { masking }: Pick<Config, 'masking'>,
  lineage: LineageReader,
  parser: Pick<SqlParser, 'parse'>,
): Masking => {
  const { hash_key, row_bytes_max } = masking
  const key = hash_key === undefined ? null : hashKey(Buffer.from(hash_key.reveal(), 'utf8'))
  const rules = compileMasking(masking.rules, masking.detectors, key)
  const values = counter({
    name: 'gateway_masked_values_total',
    help: 'Values that were masked in answers, by rule.',
    labels: ['rule'],
  })
  return {
    forSession: (facts) => {
      const applying = rules.forSession(facts)
      if (applying === null) return null
      return openMaskSession({
        rules: applying,
        row_bytes_max,
        lineage,
        parser,
        counted: (rule, count) => values.inc({ rule }, count),
      })
    },
  }
}
