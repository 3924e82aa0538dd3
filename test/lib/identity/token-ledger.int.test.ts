import { mkdtemp, rm } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { ledgerContract } from '../../contracts/token-ledger.ts'

const folder = await mkdtemp(join(tmpdir(), 'cairn-ledger-'))
afterAll(() => rm(folder, { recursive: true, force: true }))
const path = join(folder, 'log', 'cairn.sqlite')

describe('the ledger of tokens on the embedded log', () => {
  ledgerContract({
    place: () => ({ kind: 'embedded', path }),
    interrupt: async () => {
      const other = new DatabaseSync(path)
      other.exec('BEGIN IMMEDIATE')
      return { recover: async () => other.close() }
    },
  })
})
