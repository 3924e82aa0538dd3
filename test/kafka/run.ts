import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startBroker } from './broker.ts'

/**
 * `npm run test:kafka [-- VITEST ARGUMENTS]`: starts a real broker, runs the suites that need one (*.kafka.test.ts) against it
 * and ends it. Needs Java 17 and, the first time, Maven, which fetches the broker into `.cache/kafka`.
 */
const root = join(import.meta.dirname, '../..')

const runSuites = async (bootstrap: string, stop: AbortSignal): Promise<number> => {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const child = spawn(process.execPath, [vitest, 'run', ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, CAIRN_TEST_KAFKA: bootstrap },
  })
  stop.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code ?? 1
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

const main = async (): Promise<number> => {
  console.log('starting a Kafka broker ...')
  await using broker = await startBroker()
  console.log(`broker at ${broker.bootstrap}`)
  return stop.signal.aborted ? 1 : runSuites(broker.bootstrap, stop.signal)
}

process.exitCode = await main()
