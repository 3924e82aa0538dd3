import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CairnError } from '#lib/error.ts'
import { openLog as openRealLog, type LogConfig } from '#lib/log/open.ts'
import type { Log } from '#lib/log/port.ts'

/** The embedded log, which takes nothing while the file `log-down` stands in the data folder. Loaded by the shipper's thread. */
export const openLog = async (
  config: LogConfig,
  { data_dir }: { readonly data_dir: string },
): Promise<Log> => {
  const log = await openRealLog(config, { data_dir })
  return {
    append: async (topic, records) => {
      if (existsSync(join(data_dir, 'log-down')))
        throw new CairnError('log_unavailable', 'the log is down')
      return log.append(topic, records)
    },
    subscribe: (options) => log.subscribe(options),
    follow: (options) => log.follow(options),
    read: (topic, partition, from, to) => log.read(topic, partition, from, to),
    lag: (group, topics) => log.lag(group, topics),
    ensureTopics: (topics) => log.ensureTopics(topics),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  }
}
