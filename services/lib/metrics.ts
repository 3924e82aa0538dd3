import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/**
 * Metrics of this process: one registry, every name with the prefix `cairn_`. A metric is opened once per process by name; a
 * second opening gives the first one back, so that two parts of a service may count the same thing. Labels come from fixed sets
 * (topic, reason, target ...), never from what a client sends: each distinct value costs memory for ever.
 */

/** The process's one registry; `metricsText` prints it. */
export const registry = new Registry()

type MetricOptions<Label extends string> = {
  /** Name without the prefix; counters end in `_total`, units stand last (`_bytes`, `_seconds`). */
  readonly name: string
  readonly help: string
  readonly labels?: readonly Label[]
}

const prefix = 'cairn_'

const opened = <Metric>(name: string, make: (full: string) => Metric): Metric => {
  const full = `${prefix}${name}`
  return (registry.getSingleMetric(full) as Metric | undefined) ?? make(full)
}

/** Opens a counter: something that only grows. */
export const counter = <Label extends string = never>(
  options: MetricOptions<Label>,
): Counter<Label> =>
  opened(
    options.name,
    (name) =>
      new Counter({
        name,
        help: options.help,
        labelNames: options.labels ?? [],
        registers: [registry],
      }),
  )

/**
 * Opens a gauge: something that goes up and down.
 * @param options.read asked at each collection, for values that are cheap to look up and costly to push
 */
export const gauge = <Label extends string = never>(
  options: MetricOptions<Label> & { readonly read?: (gauge: Gauge<Label>) => void },
): Gauge<Label> =>
  opened(options.name, (name) => {
    const { read } = options
    return new Gauge({
      name,
      help: options.help,
      labelNames: options.labels ?? [],
      registers: [registry],
      ...(read === undefined
        ? {}
        : {
            collect(this: Gauge<Label>) {
              read(this)
            },
          }),
    })
  })

/** Buckets for latencies of a command, seconds: 50 µs to 10 s. */
export const latency_buckets_s = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
  2.5, 10,
]

/** Opens a histogram; seconds from 50 µs to 10 s unless told other buckets. */
export const histogram = <Label extends string = never>(
  options: MetricOptions<Label> & { readonly buckets?: readonly number[] },
): Histogram<Label> =>
  opened(
    options.name,
    (name) =>
      new Histogram({
        name,
        help: options.help,
        labelNames: options.labels ?? [],
        buckets: [...(options.buckets ?? latency_buckets_s)],
        registers: [registry],
      }),
  )

/** Adds what the runtime says of itself (`cairn_process_*`, `cairn_nodejs_*`: memory, CPU, event loop lag); once per process. */
export const openProcessMetrics = (): void => {
  if (registry.getSingleMetric(`${prefix}process_cpu_seconds_total`) !== undefined) return
  collectDefaultMetrics({ register: registry, prefix })
}

/** All metrics of this process as Prometheus text (exposition format 0.0.4). */
export const metricsText = (): Promise<string> => registry.metrics()

/** Content type of `metricsText`. */
export const metrics_content_type: string = registry.contentType
