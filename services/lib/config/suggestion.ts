/** Edit distance with insertion, deletion, substitution and transposition of neighbours (optimal string alignment). */
const distance = (a: string, b: string): number => {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [
    i,
    ...Array<number>(b.length).fill(0),
  ])
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0
  for (let j = 0; j <= b.length; j++) rows[0]![j] = j
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + cost)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) best = Math.min(best, at(i - 2, j - 2) + 1)
      rows[i]![j] = best
    }
  }
  return at(a.length, b.length)
}

/** Longest word that is compared: mistakes are short, hostile input is not. */
const word_length_max = 64

/** The known word that a wrong one was most likely meant to be, or undefined when none is near. */
export const nearest = (wrong: string, known: readonly string[]): string | undefined => {
  if (wrong.length > word_length_max) return undefined
  const plain = wrong.toLowerCase().replaceAll('-', '_')
  const ranked = known
    .map((word) => ({ word, far: distance(plain, word.toLowerCase()) }))
    .toSorted((a, b) => a.far - b.far)
  const best = ranked[0]
  const part = known.find(
    (word) => plain.length >= 4 && (word.startsWith(plain) || plain.startsWith(word)),
  )
  if (best !== undefined && best.far <= Math.max(1, Math.floor(best.word.length / 3)))
    return best.word
  return part
}
