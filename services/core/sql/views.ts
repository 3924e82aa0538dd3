import { objectOf } from './environment.ts'
import { emit, push, type Walk } from './walk.ts'

/** Views that one statement reads, also through one another; more are not looked into. */
const views_max = 500

/** The columns of a view that are wanted, by their place; undefined: all. */
const wantedPlaces = (
  columns: readonly { readonly name: string }[],
  wanted: ReadonlySet<string>,
): ReadonlySet<number> | undefined => {
  if (wanted.has('*')) return undefined
  const places = new Set<number>()
  columns.forEach(({ name }, index) => {
    if (wanted.has(name)) places.add(index)
  })
  return places
}

/**
 * Puts the queries of the views that were met, and are not read yet, before the walk. The names in a stored query are qualified, so it is read with
 * an empty search path.
 */
export const readViews = (walk: Walk, done: Map<string, number>): boolean => {
  let more = false
  for (const { effect, view, frame } of walk.views.values()) {
    const wanted = walk.columns.get(effect) ?? new Set<string>()
    const before = done.get(effect)
    if (before === wanted.size) continue
    const query =
      before === undefined && done.size >= views_max ? undefined : walk.environment.viewQuery(view)
    done.set(effect, wanted.size)
    if (query === undefined) {
      walk.at = frame
      emit(walk, 'unknown', objectOf(view))
      continue
    }
    push(walk, frame, [query], {
      via: objectOf(view),
      search_path: [],
      action: 'select',
      scope: undefined,
      tables: undefined,
      locked: false,
      wanted: wantedPlaces(view.columns, wanted),
    })
    more = true
  }
  return more
}
