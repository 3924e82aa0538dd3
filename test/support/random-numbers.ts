/** Deterministic numbers in [0, 1) (mulberry32), so that a failing run can be run again. */
export const randomNumbers = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Choices of one seed. */
export type Chance = {
  /** A whole number from 0 up to, not including, `below`. */
  readonly whole: (below: number) => number
  readonly pick: <Value>(from: readonly Value[]) => Value
  /** True in so many of a hundred cases. */
  readonly percent: (of_hundred: number) => boolean
  readonly bytes: (length: number) => Buffer
}

export const chanceOf = (seed: number): Chance => {
  const random = randomNumbers(seed)
  const whole = (below: number): number => Math.floor(random() * below)
  return {
    whole,
    pick: (from) => from[whole(from.length)]!,
    percent: (of_hundred) => random() * 100 < of_hundred,
    bytes: (length) => Buffer.from(Array.from({ length }, () => whole(256))),
  }
}
