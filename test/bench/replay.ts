import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { openGatewayLog, type Produced } from '../replay/gateway-log.ts'
import { openReplayRig, type ReplayRig } from '../replay/rig.ts'
import type { Bench, Row } from './row.ts'

/**
 * The backlog of the embedded log into ClickHouse by one replay process, beside ready-made rows inserted as JSONEachRow into one table; then
 * the time from an append to the row in a query's answer.
 */
const events = Number(process.env['CAIRN_BENCH_EVENTS'] ?? 100_000)
const samples = 40

const bare_file = new URL('../replay/bare-inserts.ts', import.meta.url).pathname
const run = promisify(execFile)

const bare = async (): Promise<number> =>
  Number(
    (
      await run(process.execPath, [bare_file, String(events)], {
        env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      })
    ).stdout,
  )

const fill = async (rig: ReplayRig, response: Buffer): Promise<number> => {
  const gateway = openGatewayLog()
  let count = 0
  while (count < events) {
    const produced: Produced[] = []
    for (let at = 0; at < 20; at++)
      produced.push(...gateway.session({ commands: 100, response }).records)
    await rig.append(produced)
    count += produced.length
  }
  return count
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

/** Events a second from the start of a process that is ready, to the last event queryable. */
const backlog = async (response: Buffer): Promise<number> => {
  await using rig = await openReplayRig()
  const count = await fill(rig, response)
  const replay = await rig.start()
  const begun = process.hrtime.bigint()
  await rig.caughtUp()
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9
  const found = Number(await replay.query('SELECT count() FROM records'))
  if (found !== count) throw new Error(`${found} rows of ${count} events`)
  return count / seconds
}

const freshness = async (): Promise<Row> => {
  await using rig = await openReplayRig()
  const replay = await rig.start()
  const gateway = openGatewayLog()
  const seconds: number[] = []
  for (let at = 0; at < samples; at++) {
    const { id, records } = gateway.session({ commands: 1 })
    const begun = process.hrtime.bigint()
    await rig.append(records)
    while ((await replay.query(`SELECT count() FROM commands WHERE session = '${id}'`)) !== '1\n');
    seconds.push(Number(process.hrtime.bigint() - begun) / 1e9)
  }
  seconds.sort((a, b) => a - b)
  const p50_s = percentile(seconds, 0.5)
  return {
    case: 'from append to queryable row',
    unit: '1/s',
    per_second: 1 / p50_s,
    figures: { p50_s, p99_s: percentile(seconds, 0.99) },
  }
}

export const bench: Bench = {
  name: 'replay: events into ClickHouse, one process',
  run: async () => {
    const reference = 'ready rows, JSONEachRow, one table'
    const plain = await bare()
    const rows: Row[] = [{ case: reference, unit: 'rows/s', per_second: plain }]
    for (const bytes of [100, 4_000]) {
      const per_second = await backlog(Buffer.alloc(bytes, 'r'))
      rows.push({
        case: `backlog, responses of ${bytes} B, all tables`,
        unit: 'events/s',
        per_second,
        reference,
        ratio: per_second / plain,
      })
    }
    return [...rows, await freshness()]
  },
}
