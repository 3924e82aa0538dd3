import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/**
 * Names a process so that another one on the machine can tell that it is gone: place it runs in, process id, start time (ids are
 * used again). On Linux the place is the boot and the process id namespace, elsewhere the host name.
 */
const place = (): string => {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${boot}:${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)); the name before it, in parentheses, may hold anything. */
const startTime = (pid: number): string => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

export const ownProcessMark = (): string => `${place()} ${process.pid} ${startTime(process.pid)}`

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** True only when the marked process has certainly ended; false when it runs or nothing can be said from here. */
export const isProcessGone = (mark: string): boolean => {
  const [where, pid, started] = mark.split(' ')
  if (where !== place()) return false
  if (!exists(Number(pid))) return true
  return started !== startTime(Number(pid))
}
