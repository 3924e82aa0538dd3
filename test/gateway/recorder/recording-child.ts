import { openRecorder } from '../../../services/gateway/recorder/recorder.ts'
import {
  commandReceived,
  context,
  decisionMade,
  recorderOptions,
  responseChunk,
  session_started,
  type TestLimits,
} from './recorder-support.ts'

/**
 * A gateway process to be killed: `recording-child.ts FOLDER LIMITS` records commands in several sessions and prints a line for each one that
 * is durable: session, sseq of the decision, text of the command.
 */
const [folder = '', limits = '{}'] = process.argv.slice(2)
const recorder = await openRecorder(recorderOptions(folder, JSON.parse(limits) as TestLimits))
const sessions_count = 8

const work = async (name: number): Promise<void> => {
  const session = recorder.openSession(context, session_started)
  for (let turn = 0; ; turn++) {
    const text = `select ${process.pid}, ${name}, ${turn}`
    const command = session.append('command.received', commandReceived(text))
    const sseq = session.append('decision.made', decisionMade(command))
    await recorder.durable()
    process.stdout.write(`${session.id.toString('hex')} ${sseq} ${text}\n`)
    session.append(
      'response.chunk',
      responseChunk(command, Buffer.alloc((turn * 997) % 9_000, name)),
    )
    if (recorder.congested) await recorder.drained()
  }
}
process.stdout.write('ready\n')
await Promise.all(Array.from({ length: sessions_count }, (_, name) => work(name)))
