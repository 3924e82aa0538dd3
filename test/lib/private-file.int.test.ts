import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readOrCreatePrivateFile, replaceFile } from '#lib/private-file.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-file-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('who finds no file and is overtaken gets the content of the one that was first', async () => {
  const path = join(folder, 'keys', 'one')
  const slow = Promise.withResolvers<string>()
  const second = readOrCreatePrivateFile(path, () => slow.promise)
  expect((await readOrCreatePrivateFile(path, () => Promise.resolve('first'))).toString()).toBe(
    'first',
  )
  slow.resolve('second')
  expect((await second).toString()).toBe('first')
  expect(await readFile(path, 'utf8')).toBe('first')
  expect(await readdir(join(folder, 'keys'))).toEqual(['one'])
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

test('nothing is left behind when the content cannot be made', async () => {
  const path = join(folder, 'keys', 'one')
  await expect(
    readOrCreatePrivateFile(path, () => Promise.reject(new Error('no entropy'))),
  ).rejects.toThrow('no entropy')
  await expect(readdir(join(folder, 'keys'))).rejects.toThrow('ENOENT')
})

test('a file is replaced whole, and left alone when it has the content already', async () => {
  const path = join(folder, 'public')
  await writeFile(path, 'old')
  await replaceFile(path, 'new')
  const { ino } = await stat(path)
  await replaceFile(path, 'new')
  expect(await readFile(path, 'utf8')).toBe('new')
  expect((await stat(path)).ino).toBe(ino)
  expect(await readdir(folder)).toEqual(['public'])
})
