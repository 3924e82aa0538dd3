import type { Effect } from '#core/sql/analysis.ts'

/** How much harm an action can do by itself, 0 to 100. For ordering what people look at; no outcome hangs on it. */
const risks = new Map<string, number>([
  ['unknown', 90],
  ['copy.program', 90],
  ['file.write', 90],
  ['file.read', 80],
  ['copy.file', 80],
  ['do_block', 70],
  ['set_role', 60],
  ['grant', 60],
  ['replication', 60],
  ['ddl.drop', 60],
  ['truncate', 60],
  ['revoke', 50],
  ['terminate', 50],
  ['ddl.alter', 40],
  ['delete', 30],
  ['ddl.create', 30],
  ['update', 20],
  ['copy.out', 20],
  ['copy.in', 20],
  ['insert', 10],
  ['execute', 10],
  ['lock', 10],
])
const lowest_risk = 1
const unparsed_risk = 90

/** Risk of a command: that of its worst effect. Undefined: it could not be parsed. */
export const riskOf = (effects: readonly Effect[] | undefined): number => {
  if (effects === undefined) return unparsed_risk
  let risk = lowest_risk
  for (const { action } of effects) risk = Math.max(risk, risks.get(action) ?? lowest_risk)
  return risk
}
