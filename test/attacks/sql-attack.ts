import type { RecordedEvent } from '../support/trail-reader.ts'
import { wire, type Answer, type WireClient } from '../support/wire-client.ts'
import type { Attack, Found, Outcome } from './attack.ts'
import type { AttackSession, Ground } from './ground.ts'

/** Attacks that are SQL in a session: said, answered, and then looked for in client, target and log. */

type Of<Type extends RecordedEvent['type']> = Extract<RecordedEvent, { type: Type }>

export const ofType = <Type extends RecordedEvent['type']>(
  events: readonly RecordedEvent[],
  type: Type,
): Of<Type>[] => events.filter((event): event is Of<Type> => event.type === type)

/** Says something in a session; returns the answers. */
export type Say = (
  client: WireClient,
  session: AttackSession,
  ground: Ground,
) => Promise<readonly Answer[]>

/** One Query after another, each answered before the next. */
export const queries =
  (...texts: readonly string[]) =>
  async (client: WireClient): Promise<readonly Answer[]> => {
    const answers: Answer[] = []
    for (const text of texts) {
      client.send(wire.query(text))
      answers.push(...(await client.take(({ type }) => type === 'Z')))
    }
    return answers
  }

/** Messages in one packet, up to so many ReadyForQuery. */
export const packet =
  (ready: number, ...messages: readonly Buffer[]): Say =>
  (client) => {
    client.send(Buffer.concat(messages))
    return client.ready(ready)
  }

const bytesOf = (answers: readonly Answer[]): Buffer =>
  Buffer.concat(answers.map(({ body }) => body))

/** What the records of a session say about it, the strictest first. */
export const verdict = (events: readonly RecordedEvent[]): Found => {
  const ids = new Map(
    ofType(events, 'decision.made').map(({ command, rules }) => [command, rules.join(' ')]),
  )
  const refused = ofType(events, 'command.refused').at(-1)
  if (refused !== undefined)
    return {
      outcome: 'refused',
      where: `command.refused ${refused.reason} ${ids.get(refused.command) ?? ''}`.trim(),
    }
  const ended = ofType(events, 'session.ended').at(-1)
  if (ended !== undefined && ended.reason !== 'client_closed')
    return { outcome: 'refused', where: `session.ended ${ended.reason}` }
  const masked = ofType(events, 'response.chunk').flatMap(({ masked }) => masked)
  if (masked.length > 0) {
    const rules = [...new Set(masked.map(({ rule }) => rule))]
    return { outcome: 'masked', where: `response.chunk ${rules.join(' ')}` }
  }
  const verbs = ofType(events, 'command.received').map(({ verb }) => verb)
  return { outcome: 'recorded', where: `command.received ${verbs.at(-1) ?? ''}` }
}

export type SqlAttack = {
  readonly attack: string
  readonly role: 'writer' | 'analyst' | 'owner'
  readonly say: Say
  /** Texts that must not come back, nor stand in the record. */
  readonly leaks?: readonly string[]
  /** Texts of which the target must execute none. */
  readonly must_not_run?: RegExp
  readonly parameters?: Readonly<Record<string, string>>
  readonly expect: readonly Outcome[]
}

/** Cells of the record that hold one of the texts. */
const leaked = (events: readonly RecordedEvent[], leaks: readonly string[]): string | undefined => {
  for (const event of events) {
    const text = JSON.stringify(event, (_, value: unknown) =>
      value instanceof Object && 'type' in value && value.type === 'Buffer'
        ? Buffer.from((value as unknown as { data: number[] }).data).toString('latin1')
        : typeof value === 'bigint'
          ? String(value)
          : value,
    )
    const found = leaks.find((leak) => text.includes(leak))
    if (found !== undefined) return `${event.type} has ${found}`
  }
  return undefined
}

/** Makes a row of it. */
export const sqlAttack = (given: SqlAttack): Attack => ({
  attack: given.attack,
  expect: given.expect,
  how: async (ground: Ground) => {
    const { leaks = [], must_not_run } = given
    const session = await ground.open(given.role, { parameters: given.parameters ?? {} })
    const answers = await given
      .say(session.client, session, ground)
      .catch(() => session.client.closed())
    const events = await session.end()
    const got = bytesOf(answers)
    const shown = leaks.find((leak) => got.includes(leak))
    if (shown !== undefined) return { outcome: 'succeeded', where: `the client got ${shown}` }
    const recorded = leaked(events, leaks)
    if (recorded !== undefined) return { outcome: 'succeeded', where: recorded }
    const ran = (await ground.heard(session.application)).find(
      (text) => must_not_run?.test(text) === true,
    )
    if (ran !== undefined) return { outcome: 'succeeded', where: `the target ran ${ran}` }
    return verdict(events)
  },
})
