import type { Catalog } from '../catalog.ts'
import type { SqlParser } from '../parser.ts'
import type { Lineage } from './lineage.ts'
import { lineageOf } from './reader.ts'
import { lineage_limits, type LineageLimits } from './reading.ts'

export type LineageReaderLimits = LineageLimits & {
  /** Texts kept. */
  readonly entries_max: number
  /** Characters of kept texts. */
  readonly length_max: number
  /** Longer texts are read each time. */
  readonly cached_text_length_max: number
}

export const lineage_reader_limits: LineageReaderLimits = {
  ...lineage_limits,
  entries_max: 5_000,
  length_max: 8 * 1024 * 1024,
  cached_text_length_max: 64 * 1024,
}

/** Reads texts, the ones seen before with the same catalog and search path without parsing. Results are shared: never change them. */
export interface LineageReader {
  lineage(text: string, catalog: Catalog, search_path: readonly string[]): Lineage
}

/** Everything is forgotten once it is full: what is in use comes back with the next command. */
export const createLineageReader = (
  parser: SqlParser,
  limits: Partial<LineageReaderLimits> = {},
): LineageReader => {
  const all: LineageReaderLimits = { ...lineage_reader_limits, ...limits }
  // A catalog that hides names has the version of the one it hides them from: identity tells them apart, and lets go of old ones.
  let kept = new WeakMap<Catalog, Map<string, Lineage>>()
  let entries = 0
  let length = 0
  return {
    lineage(text, catalog, search_path) {
      if (text.length > all.cached_text_length_max)
        return lineageOf(parser, text, catalog, search_path, all)
      const key = `${JSON.stringify(search_path)}${text}`
      const known = kept.get(catalog)?.get(key)
      if (known) return known
      const lineage = lineageOf(parser, text, catalog, search_path, all)
      if (entries >= all.entries_max || length + key.length > all.length_max) {
        kept = new WeakMap()
        entries = 0
        length = 0
      }
      const texts = kept.get(catalog) ?? new Map<string, Lineage>()
      texts.set(key, lineage)
      kept.set(catalog, texts)
      entries += 1
      length += key.length
      return lineage
    },
  }
}
