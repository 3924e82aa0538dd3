import { enterBatch, type Holding, type Item, type Run } from './batch.ts'
import { behind_hold_bytes_max } from './limits.ts'
import { frontend } from './wire.ts'

/**
 * What waits for people. Of the messages read in one run those before the held command's first one are sent; from that one on all of them wait, in their order,
 * and so do messages that belong to no command yet.
 */

/** Where what waits begins. A command is sent whole or not at all: the border moves back to the first message of every command behind it. */
const borderOf = (items: readonly Item[], held: ReadonlySet<Item>): number => {
  const found = items.findIndex((item) => held.has(item))
  let border = found === -1 ? items.length : found
  for (;;) {
    const commands = new Set(items.slice(border).map(({ command }) => command))
    const first = items.findIndex(({ command }) => command !== null && commands.has(command))
    if (first === -1 || first >= border) return border
    border = first
  }
}

/** Takes what has to wait out of the run. @returns the command that waits, null when none does */
export const keepBack = (run: Run): Holding | null => {
  const { holding, items, batch } = run
  if (holding === null) return null
  const border = borderOf(items, new Set([...holding.members, ...run.loose]))
  const kept = items.slice(border)
  run.items = items.slice(0, border)
  const others = new Set(
    kept.flatMap(({ command }) => (command === null || command === holding.command ? [] : command)),
  )
  holding.items = kept
  holding.commands = [...others]
  const sent = batch.commands.filter((command) => !others.has(command))
  batch.commands.splice(0, batch.commands.length, ...sent)
  return holding
}

/** Puts it at the beginning of a new run, as what was read first. */
export const putBack = (run: Run, { command, commands, items, received }: Holding): void => {
  run.items = [...(items ?? [])]
  for (const other of commands) enterBatch(run, other, other.statement ?? received.statement)
  enterBatch(run, command, received.statement)
}

const no_items: readonly Item[] = []

/**
 * A Bind of a statement that would wait, whose Execute has not come: where the client does not ask for answers yet (Flush), the rest is still on its way (its
 * bytes came in parts), and people are asked once, about the whole. Takes it out of the run, with what stands behind it; the next run begins with it.
 */
export const setAside = (run: Run): readonly Item[] => {
  const { items, loose, options, state } = run
  const path = state.naming.current().search_path ?? null
  const waits = ({ portal }: Item): boolean =>
    portal !== null &&
    options.wouldHold(
      {
        kind: 'bind',
        statement: portal.prepared.statement,
        parameters: portal.parameters,
      },
      path,
    )
  if (run.holding !== null || loose.length === 0 || !loose.some(waits)) return no_items
  const border = borderOf(items, new Set(loose))
  const aside = items.slice(border)
  const bytes = aside.reduce((sum, { start, end }) => sum + end - start, 0)
  if (bytes > behind_hold_bytes_max || aside.some(({ type }) => type === frontend.flush))
    return no_items
  run.items = items.slice(0, border)
  return aside
}
