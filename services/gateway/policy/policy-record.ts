import type { Context } from '#core/events/types.ts'
import type { LoadedPolicy } from '#lib/policy/policy.ts'
import type { PolicyChanges } from '#lib/policy/reload.ts'
import type { Recorder } from '../recorder/port.ts'

/** Records that a policy comes into force, before any decision by it: the whole text, so that every decision can be repeated. */
export const recordPolicy = (
  recorder: Recorder,
  context: Context,
  { set, source, text }: LoadedPolicy,
  loaded_by: 'start' | 'file change',
): void =>
  recorder.append('policy.loaded', context, { digest: set.digest, source, loaded_by, text })

/** Records what happens to the policy while the gateway runs. */
export const recordedChanges = (recorder: Recorder, context: Context): PolicyChanges => ({
  loaded: (policy) => recordPolicy(recorder, context, policy, 'file change'),
  broken: (reason) =>
    recorder.append('gateway.degraded', context, { component: 'policy', state: 'begin', reason }),
  mended: () =>
    recorder.append('gateway.degraded', context, {
      component: 'policy',
      state: 'end',
      reason: 'the policy can be read again',
    }),
})
