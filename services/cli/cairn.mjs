#!/usr/bin/env node
// The `cairn` command. Cairn runs on Node 24 or newer, which runs TypeScript as it is; the host's own node may be older and could
// not even read cairn.ts. So this file is plain JavaScript for any Node: it goes on under a new enough one, looks for the one
// that npm installed beside Cairn, and says clearly when there is none.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const node_major_min = 24
const program = fileURLToPath(new URL('./cairn.ts', import.meta.url))
const installed = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))

const runUnder = (node) => {
  const child = spawn(node, [program, ...process.argv.slice(2)], { stdio: 'inherit' })
  // A terminal's Ctrl-C reaches both processes: passing it on as well would be a second one, which means "at once".
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT')
  })
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.once('error', (error) => {
    process.stderr.write(`cairn: ${node} cannot be run: ${error.message}\n`)
    process.exit(2)
  })
  child.once('exit', (code, signal) => {
    process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]))
  })
}

if (Number(process.versions.node.split('.')[0]) >= node_major_min) {
  await import('./cairn.ts')
} else if (existsSync(installed)) {
  runUnder(installed)
} else {
  process.stderr.write(
    `cairn: needs Node ${node_major_min} or newer, this is ${process.version}.\n` +
      'Install Node 24 (https://nodejs.org), or run "npm ci" on Linux x64 or arm64, which brings one.\n',
  )
  process.exit(2)
}
