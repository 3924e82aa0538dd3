import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Bench, Row } from './row.ts'

/**
 * `npm run bench [-- NAME...]`: side-by-side measurements, one file each in this folder exporting `bench`. Prints a table and
 * writes `.cache/bench.json`. Quote the ratios: absolute figures belong to the machine and its load.
 */
const folder = import.meta.dirname
const not_benches = new Set(['run.ts', 'row.ts'])

const number = (value: number): string =>
  value >= 1_000
    ? Math.round(value).toLocaleString('en')
    : value.toLocaleString('en', { maximumSignificantDigits: 3 })

const line = (row: Row): readonly string[] => [
  row.case,
  number(row.per_second),
  row.unit ?? '/s',
  row.ratio === undefined ? '' : `${row.ratio.toFixed(2)} of ${row.reference ?? ''}`,
  Object.entries(row.figures ?? {})
    .map(([name, value]) => `${name} ${number(value)}`)
    .join('  '),
]

const print = (rows: readonly Row[]): void => {
  const lines = [['case', 'per second', 'unit', 'ratio', 'figures'], ...rows.map(line)]
  const widths = lines[0]!.map((_, column) =>
    Math.max(...lines.map((cells) => cells[column]!.length)),
  )
  for (const cells of lines)
    console.log(
      cells
        .map((cell, column) =>
          column === 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
}

const wanted = process.argv.slice(2)
const names = (await readdir(folder))
  .filter((file) => file.endsWith('.ts') && !not_benches.has(file))
  .map((file) => file.slice(0, -3))
  .sort()
const unknown = wanted.filter((name) => !names.includes(name))
if (wanted.includes('--help') || unknown.length > 0) {
  console.log(`npm run bench -- [${names.join(' | ')}]...`)
  process.exit(wanted.includes('--help') ? 0 : 2)
}

const results: Record<string, readonly Row[]> = {}
for (const name of wanted.length === 0 ? names : wanted) {
  const { bench } = (await import(`./${name}.ts`)) as { bench: Bench }
  console.log(`\n## ${bench.name}`)
  results[name] = await bench.run()
  print(results[name])
}

const cache = join(folder, '../../.cache')
await mkdir(cache, { recursive: true })
const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memory_bytes: totalmem(),
  node: process.version,
}
await writeFile(
  join(cache, 'bench.json'),
  `${JSON.stringify({ time: new Date().toISOString(), machine, results }, null, 2)}\n`,
)
