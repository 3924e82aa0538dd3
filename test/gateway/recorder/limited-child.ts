import { setTimeout as sleep } from 'node:timers/promises'
import { openRecorder } from '../../../services/gateway/recorder/recorder.ts'
import {
  context,
  recorderOptions,
  responseChunk,
  session_started,
  sessionEnded,
} from './recorder-support.ts'

/**
 * A gateway process whose files the test limits: `limited-child.ts FOLDER` records until it is refused, waits until recording works again, records a little more and
 * ends cleanly. Prints `ready`, `refused CODE`, `available`, `done RECORDS`.
 */
const [folder = ''] = process.argv.slice(2)
const recorder = await openRecorder(
  recorderOptions(folder, { segment_bytes: 256 * 1024, durable_timeout_ms: 500 }),
)
const session = recorder.openSession(context, session_started)
const tell = (line: string): void => void process.stdout.write(`${line}\n`)

const record = async (): Promise<string | null> => {
  session.append('response.chunk', responseChunk(1, Buffer.alloc(5_000, session.records)))
  try {
    await recorder.durable()
    return null
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

tell('ready')
for (;;) {
  const refusal = await record()
  if (refusal !== null) {
    tell(`refused ${refusal}`)
    break
  }
  await sleep(1)
}
while (!recorder.available) await sleep(10)
tell('available')
for (let i = 0; i < 100; i++) if ((await record()) !== null) tell('refused again')
session.append('session.ended', sessionEnded(session.records + 1))
await recorder.durable()
await recorder[Symbol.asyncDispose]()
tell(`done ${session.records}`)
