import { loadConfig } from '#lib/config/load.ts'
import { openLogger } from '#lib/logger.ts'
import { startReplay } from '../../services/replay/main.ts'

/** The replay service as a process of its own, so that a test can kill it: `replay-child.ts`, configured by CAIRN_DATA_DIR and a file. */
const [file] = process.argv.slice(2)
const loaded = loadConfig({
  ...(file === undefined ? {} : { file }),
  env: process.env,
  cwd: process.cwd(),
})
if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors))
const stop = new AbortController()
const replay = await startReplay(loaded.config, {
  logger: openLogger('replay'),
  signal: stop.signal,
})
process.stdout.write(`${JSON.stringify(replay.ports)}\n`)
process.once('SIGTERM', () => {
  stop.abort()
  void replay[Symbol.asyncDispose]().then(() => process.exit(0))
})
