import { afterAll, describe } from 'vitest'
import { ledgerContract } from '../../contracts/token-ledger.ts'
import { startBroker } from '../../kafka/broker.ts'

// A broker of its own: these tests kill it.
const broker = await startBroker()
afterAll(() => broker[Symbol.asyncDispose]())

describe('the ledger of tokens on Kafka', () => {
  ledgerContract({
    place: () => ({ kind: 'kafka', bootstrap: broker.bootstrap }),
    interrupt: async () => {
      await broker.kill()
      return { recover: broker.start }
    },
  })
})
