import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { embeddedLogPath } from '#lib/log/open.ts'
import { allCommitted, distinct, gseqs } from './forwarding.ts'
import { commands, openTestLog } from './recording.ts'
import { openRsyslog, rsyslogd, until, type Rsyslog } from './rsyslog.ts'

const script = new URL('./forward-child.ts', import.meta.url).pathname
const window_events_max = 300

type Folder = AsyncDisposable & { readonly path: string }

const openFolder = async (): Promise<Folder> => {
  const path = await mkdtemp(join(tmpdir(), 'cairn-forward-service-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const startService = async (data_dir: string, rsyslog: Rsyslog): Promise<ChildProcess> => {
  const sink = {
    name: 'siem',
    host: '127.0.0.1',
    port: rsyslog.port,
    transport: 'tcp',
    window_events_max,
  }
  const child = spawn(process.execPath, [script, data_dir, JSON.stringify(sink)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the service ended'))),
  ])
  return child
}

const end = async (child: ChildProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}

describe.skipIf(rsyslogd === null)('the forward service', () => {
  it('killed at any moment loses nothing and goes on where it was', async () => {
    await using folder = await openFolder()
    await using rsyslog = await openRsyslog()
    await using testLog = await openTestLog(embeddedLogPath(folder.path))
    const { log } = testLog
    let appended = 0
    let child = await startService(folder.path, rsyslog)
    for (let death = 0; death < 3; death++) {
      await log.append('cairn.audit', commands(appended, 2_000))
      appended += 2_000
      await until(async () => (await distinct(rsyslog)) > appended - 1_500, 'events flow')
      await end(child, 'SIGKILL')
      child = await startService(folder.path, rsyslog)
    }
    await until(async () => (await distinct(rsyslog)) === appended, 'every event')
    await end(child, 'SIGTERM')
    expect(child.exitCode).toBe(0)
    expect(await allCommitted(log, ['cairn.audit'])).toBe(true)
    // A window, and in each of three partitions the batch that was being handed out and what was
    // gathered for a commit.
    const duplicates = gseqs(await rsyslog.received()).length - appended
    expect(duplicates).toBeLessThanOrEqual(3 * (window_events_max + 3 * 200 + 1_000))
  })
})

describe.skipIf(rsyslogd === null)('the documentation', () => {
  it('shows a configuration that rsyslog accepts', async () => {
    await using folder = await openFolder()
    const readme = new URL('../../services/forward/README.md', import.meta.url)
    const blocks = (await readFile(readme, 'utf8')).split('```rsyslog\n').slice(1)
    expect(blocks.length).toBeGreaterThan(0)
    for (const block of blocks) {
      const conf = join(folder.path, 'rsyslog.conf')
      const text = block.split('```')[0] ?? ''
      await writeFile(
        conf,
        text
          .replaceAll('/var/spool/rsyslog', folder.path)
          .replaceAll('/var/log/cairn', folder.path),
      )
      expect(() =>
        execFileSync(rsyslogd ?? '', ['-N1', '-f', conf], { stdio: 'pipe' }),
      ).not.toThrow()
    }
  })
})
