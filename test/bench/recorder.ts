import { fdatasync, write } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Recorder, SessionRecorder } from '../../services/gateway/recorder/port.ts'
import { openRecorder } from '../../services/gateway/recorder/recorder.ts'
import {
  commandReceived,
  context,
  decisionMade,
  recorderOptions,
  responseChunk,
  session_started,
} from '../gateway/recorder/recorder-support.ts'
import type { Bench, Row } from './row.ts'

/**
 * The recorder alone, as a gateway's commands use it: four records a command, and the command waits for two of them. Beside it what the disk can do: a bare
 * loop of write and fdatasync over a filled file, one for all waiters, of the same sizes.
 */
const waiters = [1, 8, 32] as const
const run_ms = Number(process.env['CAIRN_BENCH_SECONDS'] ?? 4) * 500
const MiB = 1024 * 1024

const text = commandReceived('SELECT abalance FROM pgbench_accounts WHERE aid = 471186;')
const rows = responseChunk(1, Buffer.alloc(70, 1))
const completed = {
  command: 1,
  status: 'ok',
  tag: 'SELECT 1',
  rows: 1,
  response_bytes: 70,
  input_bytes: 0,
  duration_us: 120,
  error_code: '',
  error_message: '',
} as const

const begin = (session: SessionRecorder): void => {
  const command = session.append('command.received', text)
  session.append('decision.made', decisionMade(command))
}

const finish = (session: SessionRecorder): void => {
  session.append('response.chunk', rows)
  session.append('command.completed', completed)
}

type Measured = { readonly count: number; readonly seconds: number; readonly cpu_us: number }

/** CPU is the gateway's own thread alone: the shipper has another, and gives way. */
const measured = async (work: (until_ms: number) => Promise<number>): Promise<Measured> => {
  const cpu_before = process.threadCpuUsage()
  const begun_ms = performance.now()
  const count = await work(begun_ms + run_ms)
  const seconds = (performance.now() - begun_ms) / 1000
  const cpu = process.threadCpuUsage(cpu_before)
  return { count, seconds, cpu_us: (cpu.user + cpu.system) / count }
}

const recorded = (recorder: Recorder, sessions: number): Promise<Measured> =>
  measured(async (until_ms) => {
    let count = 0
    await Promise.all(
      Array.from({ length: sessions }, async () => {
        const session = recorder.openSession(context, session_started)
        while (performance.now() < until_ms) {
          begin(session)
          await recorder.durable()
          finish(session)
          count++
        }
      }),
    )
    return count
  })

const unwaited = (recorder: Recorder): Promise<Measured> =>
  measured(async (until_ms) => {
    const session = recorder.openSession(context, session_started)
    let count = 0
    while (performance.now() < until_ms) {
      for (let i = 0; i < 100; i++) {
        begin(session)
        finish(session)
      }
      count += 400
      if (recorder.congested) await recorder.drained()
    }
    return count
  })

const written = (fd: number, bytes: Buffer, at: number): Promise<void> =>
  new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, at, (error) => {
      if (error !== null) reject(error)
      else fdatasync(fd, (sync_error) => (sync_error === null ? resolve() : reject(sync_error)))
    })
  })

const bare = async (folder: string, waiting: number, command_bytes: number): Promise<Measured> => {
  const file = await open(join(folder, 'bare'), 'w+')
  try {
    const size = 16 * MiB
    await file.write(Buffer.alloc(size), 0, size, 0)
    await file.sync()
    const bytes = Buffer.alloc(waiting * command_bytes, 1)
    return await measured(async (until_ms) => {
      let count = 0
      for (
        let at = 0;
        performance.now() < until_ms;
        at = (at + bytes.length) % (size - bytes.length)
      ) {
        await written(file.fd, bytes, at)
        count += waiting
      }
      return count
    })
  } finally {
    await file.close()
  }
}

/** Bytes that a command takes in the journal. */
const commandBytes = async (recorder: Recorder): Promise<number> => {
  const { metricsText } = await import('#lib/metrics.ts')
  const bytes = async (): Promise<number> =>
    Number(/^cairn_journal_bytes_total (\d+)/m.exec(await metricsText())?.[1])
  const session = recorder.openSession(context, session_started)
  await recorder.durable()
  const before = await bytes()
  for (let i = 0; i < 1_000; i++) {
    begin(session)
    finish(session)
  }
  await recorder.durable()
  return Math.round(((await bytes()) - before) / 1_000)
}

export const bench: Bench = {
  name: 'Recorder: durable records',
  run: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cairn-bench-'))
    const table: Row[] = []
    const recorder = await openRecorder(recorderOptions(folder, { segment_bytes: 64 * MiB }))
    try {
      const command_bytes = await commandBytes(recorder)
      for (const waiting of waiters) {
        const reference = `write + fdatasync, ${waiting} waiting`
        const disk = await bare(folder, waiting, command_bytes)
        await recorded(recorder, waiting)
        // The shipper catches up, so that what it has left does not count here.
        await sleep(500)
        const own = await recorded(recorder, waiting)
        const disk_rate = disk.count / disk.seconds
        table.push(
          {
            case: reference,
            unit: 'commands/s',
            per_second: disk_rate,
            figures: { cpu_us: disk.cpu_us },
          },
          {
            case: `recorder, ${waiting} waiting`,
            unit: 'commands/s',
            per_second: own.count / own.seconds,
            reference,
            ratio: own.count / own.seconds / disk_rate,
            figures: { cpu_us: own.cpu_us, command_bytes },
          },
        )
      }
      const { count, seconds, cpu_us } = await unwaited(recorder)
      table.push({
        case: 'recorder, nobody waits',
        unit: 'records/s',
        per_second: count / seconds,
        figures: { cpu_us },
      })
    } finally {
      await recorder[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    }
    return table
  },
}
