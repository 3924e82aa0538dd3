import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeHeaders, encodeHeaders } from '#lib/log/embedded-records.ts'

test('headers come back byte for byte, whatever their names and values', () => {
  const names = fc.string({ unit: 'binary', maxLength: 40 }).filter((name) => name !== '__proto__')
  const values = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.dictionary(names, values, { maxKeys: 8 }), (headers) => {
      expect(decodeHeaders(encodeHeaders(headers))).toEqual({ ...headers })
    }),
  )
})
