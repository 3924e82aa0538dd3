import { RE2JS } from 're2js'
import type { Detector } from '../detector.ts'

/** A pattern of somebody's own: RE2 syntax, which takes time in proportion to the value, whatever the pattern. */
export type CustomDetector = {
  readonly name: string
  readonly re2: string
  /** Stands in every find: values without it are passed over quickly. Empty: every value is looked at. */
  readonly literal: string
}

/**
 * Compiles a custom detector; matches on UTF-8 bytes.
 * @throws RE2JSException when the pattern is no RE2, or matches the empty text
 */
export const customDetector = ({ name, re2, literal }: CustomDetector): Detector => {
  const pattern = RE2JS.compile(re2)
  if (pattern.matcher('').find()) throw new RangeError('the pattern matches the empty text')
  return {
    name,
    needles: literal === '' ? [] : [literal],
    digits_min: 0,
    numbers: true,
    find: (bytes, start, end, found) => {
      const matcher = pattern.matcher(bytes.subarray(start, end))
      while (matcher.find())
        if (matcher.end() > matcher.start()) found(start + matcher.start(), start + matcher.end())
    },
  }
}
