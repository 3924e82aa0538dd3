import { statSync, watch, type FSWatcher } from 'node:fs'
import { dirname } from 'node:path'

/** After the first sign of a change the rest of it is waited for this long, milliseconds. */
const settle_ms = 100
/** Files are looked at this often even if nothing tells of a change: network file systems tell nothing, milliseconds. */
const default_poll_ms = 5_000

/** Which bytes a name stands for; symbolic links are followed. */
const signature = (file: string): string => {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true })
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch {
    return 'absent'
  }
}

/**
 * Tells when one of some files has changed. Their folders are watched, not the files: editors and Kubernetes put a new file in the place of the
 * old one. Where that tells nothing, the files are looked at every few seconds. Keeps no process alive.
 */
export const watchFiles = (
  files: readonly string[],
  changed: () => void,
  options: { readonly poll_ms?: number } = {},
): Disposable => {
  const signatures = (): string => files.map(signature).join('\n')
  let last = signatures()
  let settling: NodeJS.Timeout | undefined
  const look = (): void => {
    settling = undefined
    const now = signatures()
    if (now === last) return
    last = now
    changed()
  }
  const soon = (): void => {
    settling ??= setTimeout(look, settle_ms).unref()
  }
  const watchers = [...new Set(files.map((file) => dirname(file)))].flatMap(
    (folder): FSWatcher[] => {
      try {
        const watcher = watch(folder, { persistent: false }, soon)
        // The folder is gone, or the machine has no watches left: looking goes on.
        watcher.on('error', () => watcher.close())
        return [watcher]
      } catch {
        return []
      }
    },
  )
  const poll = setInterval(look, options.poll_ms ?? default_poll_ms).unref()
  return {
    [Symbol.dispose]: () => {
      clearInterval(poll)
      clearTimeout(settling)
      for (const watcher of watchers) watcher.close()
    },
  }
}
