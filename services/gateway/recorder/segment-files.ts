import { open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeHead, segmentName, type SegmentHead } from './segment.ts'

/** Old segments kept to be written over: a file whose blocks exist is cheaper to sync than one that grows. */
const spares_max = 2
const zeros = Buffer.alloc(1024 * 1024)

/** Files of a journal's folder: segments, spare ones (`spare-N.journal`), damaged ones set aside (`damaged-...`). */
export interface SegmentFiles {
  /** Makes a segment's file, preallocated and on disk, with its head. @throws the file system's error (ENOSPC ...), leaving nothing behind */
  readonly create: (head: SegmentHead, bytes: number) => Promise<void>
  /** A segment whose records are all in the log: kept as a spare or removed. */
  readonly release: (number: number) => Promise<void>
  /** A segment that could not be read whole: kept under another name, never removed. */
  readonly setAside: (number: number) => Promise<string>
}

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const writeAll = async (
  handle: FileHandle,
  bytes: Buffer,
  length: number,
  at: number,
): Promise<void> => {
  let written = 0
  while (written < length) {
    const result = await handle.write(bytes, written, length - written, at + written)
    written += result.bytesWritten
  }
}

/** Opens a journal's folder for its files; what an interrupted `create` left is removed. @throws the file system's error */
export const openSegmentFiles = async (
  folder: string,
  segment_bytes: number,
): Promise<SegmentFiles> => {
  const spares: string[] = []
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    if (/^spare-\d+\.journal$/.test(name) && (await stat(path)).size === segment_bytes)
      spares.push(path)
    else if (/^(spare|new)-\d+\.journal$/.test(name)) await rm(path)
  }

  /** Writes the head over a spare file, or a new file of zeros: blocks that exist need no change of the file's metadata later. */
  const fill = async (path: string, head: SegmentHead, bytes: number): Promise<void> => {
    const handle = await open(path, 'r+')
    try {
      const { size } = await handle.stat()
      for (let at = size; at < bytes; at += zeros.length)
        await writeAll(handle, zeros, Math.min(zeros.length, bytes - at), at)
      const head_bytes = encodeHead(head)
      await writeAll(handle, head_bytes, head_bytes.length, 0)
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  const create = async (head: SegmentHead, bytes: number): Promise<void> => {
    const spare = bytes === segment_bytes ? spares.pop() : undefined
    const path = spare ?? join(folder, `new-${head.number}.journal`)
    try {
      if (spare === undefined) await (await open(path, 'w', 0o600)).close()
      await fill(path, head, bytes)
      await rename(path, join(folder, segmentName(head.number)))
      await syncFolder(folder)
    } catch (error) {
      await rm(path, { force: true }).catch(() => undefined)
      throw error
    }
  }

  const release = async (number: number): Promise<void> => {
    const path = join(folder, segmentName(number))
    const { size } = await stat(path)
    if (size !== segment_bytes || spares.length >= spares_max) {
      await rm(path)
      return
    }
    const spare = join(folder, `spare-${number}.journal`)
    await rename(path, spare)
    spares.push(spare)
  }

  const setAside = async (number: number): Promise<string> => {
    const name = `damaged-${segmentName(number)}`
    await rename(join(folder, segmentName(number)), join(folder, name))
    await syncFolder(folder)
    return name
  }

  return { create, release, setAside }
}
