import type { Preset } from '../preset.ts'
import { generic } from './generic.ts'
import { githubActions } from './github-actions.ts'
import { gitlab } from './gitlab.ts'

/** All presets by the name that the configuration uses. A new issuer is a new file and a line here. */
export const presets = {
  'github-actions': githubActions,
  gitlab,
  generic,
} as const satisfies Readonly<Record<string, Preset>>

export type PresetName = keyof typeof presets
