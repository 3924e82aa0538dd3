import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log, LogBatch, LogRange, LogRecord, StoredRecord } from '#lib/log/port.ts'
import type { ChildOrder } from './log-child.ts'

const deadline_ms = 60_000

/** Resolves when the condition holds. */
export const until = async (
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> => {
  const deadline = Date.now() + deadline_ms
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${deadline_ms} ms: ${what}`)
    await sleep(10)
  }
}

export const record = (key: string, value: string | Buffer = ''): LogRecord => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
  headers: {},
})

export const rangeOf = (batch: LogBatch, records = batch.records.length): LogRange => ({
  topic: batch.topic,
  partition: batch.partition,
  lo: batch.records[0]!.offset,
  hi: batch.records[records - 1]!.offset,
})

export const readAll = async (log: Log, topic: string, partition = 0): Promise<StoredRecord[]> => {
  const records: StoredRecord[] = []
  for await (const each of log.read(topic, partition, 0n)) records.push(each)
  return records
}

export const texts = (records: readonly StoredRecord[]): string[] =>
  records.map(({ value }) => value.toString())

type Message = Readonly<Record<string, unknown>>

export interface Child extends AsyncDisposable {
  readonly pid: number
  readonly messages: readonly Message[]
  /** The first message with this field that has not been asked for before. */
  readonly next: (field: string) => Promise<Message>
  readonly tell: (line: string) => void
  readonly signal: (signal: NodeJS.Signals) => void
  readonly exited: () => Promise<void>
}

/** Starts another process on the log; it is killed when disposed. */
export const startChild = (order: ChildOrder, shell_prefix = ''): Child =>
  startProgram('./log-child.ts', order, shell_prefix)

/** Starts a program of this folder that takes one JSON argument and speaks JSON lines; it is killed when disposed. */
export const startProgram = (file: string, order: object, shell_prefix = ''): Child => {
  const script = new URL(file, import.meta.url).pathname
  const args = [script, JSON.stringify(order)]
  const child =
    shell_prefix === ''
      ? spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
      : spawn('bash', ['-c', `${shell_prefix}; exec "$0" "$@"`, process.execPath, ...args], {
          stdio: ['pipe', 'pipe', 'pipe'],
        })
  const exit = once(child, 'exit')
  const messages: Message[] = []
  const asked = new Set<Message>()
  let errors = ''
  createInterface({ input: child.stdout }).on('line', (line) =>
    messages.push(JSON.parse(line) as Message),
  )
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-4_000)
  })
  child.stdin.on('error', () => undefined)
  const gone = (): boolean => child.exitCode !== null || child.signalCode !== null
  return {
    pid: child.pid ?? -1,
    messages,
    next: async (field) => {
      const find = (): Message | undefined =>
        messages.find((message) => field in message && !asked.has(message))
      await until(() => {
        if (find() === undefined && gone()) throw new Error(`the process ended: ${errors}`)
        return find() !== undefined
      }, `a message with ${field}`)
      const found = find()!
      asked.add(found)
      return found
    },
    tell: (line) => void child.stdin.write(`${line}\n`),
    signal: (signal) => void child.kill(signal),
    exited: async () => void (await exit),
    [Symbol.asyncDispose]: async () => {
      if (!gone()) child.kill('SIGKILL')
      await exit
    },
  }
}
