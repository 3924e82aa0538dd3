import { parseArgs } from 'node:util'
import { runFuzz, type FuzzReport } from './fuzz.ts'

/**
 * `npm run fuzz [-- --messages 1000000 --seed 1 --reads wait|overlap]`: the long run. Ends with 1 when something is not as it must
 * be; each finding names the seed of its session.
 */
const help = `npm run fuzz -- [options]
  --messages N           messages to send, about (default 1000000)
  --seed N               of the first session (default: by the clock; printed)
  --reads wait|overlap   the gateway's setting (default wait)
  --session N            plays one session alone, by the seed that a finding names
  --json                 the report as JSON`

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    reads: { type: 'string', default: 'wait' },
    session: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const MiB = 1024 * 1024

const line = (report: FuzzReport): string =>
  [
    `${report.messages.toLocaleString('en')} messages`,
    `${report.sessions.toLocaleString('en')} sessions (${report.violations} ended by a broken message)`,
    `${report.commands.toLocaleString('en')} commands, ${report.refused.toLocaleString('en')} refused`,
    `${report.executed.toLocaleString('en')} executed`,
    `heap ${(report.heap_bytes / MiB).toFixed(0)} MiB (warm ${(report.heap_warm_bytes / MiB).toFixed(0)})`,
    `${report.findings.length} findings`,
  ].join(' · ')

const numbers = [values.messages, values.seed, values.session ?? '0'].map(Number)
const usable = numbers.every((value) => Number.isSafeInteger(value) && value >= 0)
if (values.help || !usable || (values.reads !== 'wait' && values.reads !== 'overlap')) {
  console.log(help)
  process.exitCode = values.help ? 0 : 2
} else {
  const [messages = 0, seed = 0, session = 0] = numbers
  console.error(`seed ${seed}, reads ${values.reads}`)
  let told = 0
  const report = await runFuzz({
    messages,
    seed,
    reads: values.reads,
    ...(values.session === undefined ? {} : { session }),
    onProgress: (so_far) => {
      console.error(line(so_far))
      for (const finding of so_far.findings.slice(told)) console.error(`  ${finding}`)
      told = so_far.findings.length
    },
  })
  if (values.json) console.log(JSON.stringify(report))
  else {
    console.log(line(report))
    for (const finding of report.findings) console.log(`  ${finding}`)
  }
  process.exitCode = report.findings.length === 0 ? 0 : 1
}
