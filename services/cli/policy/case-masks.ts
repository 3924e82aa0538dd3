import type { Identity } from '#core/identity/identity.ts'
import { openColumnRules } from '#core/masking/column-rules.ts'
import { hashKey } from '#core/masking/method.ts'
import { compileMasking } from '#core/masking/rules.ts'
import { textMasks } from '#core/masking/statement-masks.ts'
import type { CommandDecision, Decision } from '#core/policy/decision.ts'
import type { SessionRequest } from '#core/policy/policy-rule.ts'
import type { Catalog } from '#core/sql/catalog.ts'
import { lineageOf } from '#core/sql/lineage/reader.ts'
import type { SqlParser } from '#core/sql/parser.ts'
import type { Config } from '#lib/config/schema.ts'

/** What masking makes of a command that the policy allows. */
export type CaseMasks = (
  request: SessionRequest,
  sql: string,
  path: readonly string[],
  decision: CommandDecision,
) => Decision

const identityOf = (request: SessionRequest): Identity => ({
  issuer: request.issuer,
  actor: request.actor,
  pipeline: request.pipeline,
  claims: request.claims,
  expires_at_s: 0,
  binding: null,
})

/**
 * Asks the masking rules of a configuration about the columns of a command's result, as the gateway does: it is masked by the rules for them, and
 * refused where values would get past the mask. What detectors find depends on values, and cases have none.
 */
export const openCaseMasks = (
  { rules, detectors, hash_key }: Config['masking'],
  parser: SqlParser,
  catalog: Catalog,
): CaseMasks => {
  const key = hash_key === undefined ? null : hashKey(Buffer.from(hash_key.reveal(), 'utf8'))
  const masking = compileMasking(rules, detectors, key)
  return (request, sql, path, decision) => {
    const { target, role, database } = request
    const applying = masking.forSession({ identity: identityOf(request), target, role, database })
    if (decision.outcome !== 'allow' || applying === null || applying.columns.length === 0)
      return decision
    const masks = textMasks(
      lineageOf(parser, sql, catalog, path),
      openColumnRules(applying.columns),
    )
    const statements = masks.ok ? masks.statements : []
    const refusal = masks.ok
      ? statements.find((statement) => statement.refusal !== null)?.refusal
      : masks.refusal
    if (refusal)
      return { ...decision, outcome: 'deny', rules: [refusal.rule], reason: refusal.words }
    const by = [...new Set(statements.flatMap((statement) => statement.rules))]
    if (by.length === 0) return decision
    const reason = `${decision.reason}; masked by ${by.join(', ')}`
    return { ...decision, outcome: 'mask', rules: [...decision.rules, ...by], reason }
  }
}
