/** What the command line says of how a network is trained, where it says more than the preset. */

import { ema } from '../training/averaging.js'
import { adam, adamW, type Optimizer, sgd } from '../training/optimizers.js'
import { cosineDecay, type LearningRate, oneCycle } from '../training/schedules.js'
import { decimal, flag, oneOf, option, UsageError, type Values } from './options.js'
import type { Preset } from './presets.js'

const optimizerNames = ['sgd', 'adam', 'adamw'] as const
const scheduleNames = ['constant', 'cosine', 'one-cycle'] as const

export const recipeOptions = {
  optimizer: option('NAME', oneOf(optimizerNames), `${optimizerNames.join(', ')}; what the preset has, by default`),
  schedule: option('NAME', oneOf(scheduleNames), `${scheduleNames.join(', ')}: what becomes of the rate`),
  momentum: option('0', share, "of sgd; with one-cycle, the schedule's own"),
  nesterov: flag('let sgd look ahead'),
  'weight-decay': option('0', decimal, 'of adamw 0.01; of weights alone, where it is given'),
  'clip-norm': option('N', decimal, 'the most that the norm of all gradients may be'),
  ema: option('0.999', share, 'answer, evaluate and save by an average of the parameters'),
}

type Recipe = Values<typeof recipeOptions>

/** The optimiser that the options ask for, or the preset's, where they ask for none. */
export function optimizerOf(options: Recipe, preset: Preset, learningRate: number | undefined): Optimizer {
  const { optimizer, schedule, momentum, nesterov, 'weight-decay': weightDecay, 'clip-norm': clipNorm } = options
  const kind = optimizer ?? 'sgd'
  if (kind !== 'sgd' && (momentum !== undefined || nesterov)) {
    throw new UsageError(`Expected --momentum and --nesterov with --optimizer sgd, but received ${kind}.`)
  }
  const changes = {
    ...(weightDecay !== undefined && { weightDecay, decay: 'weights' as const }),
    ...(clipNorm !== undefined && { clipNorm }),
    ...(options.ema !== undefined && { averaging: ema(options.ema) }),
  }
  if (optimizer === undefined && schedule === undefined) {
    const steps = { ...(momentum !== undefined && { momentum }), ...(nesterov && { nesterov }) }
    return { ...preset.recipe(learningRate ?? preset.learningRate).optimizer, ...changes, ...steps }
  }
  const shared = {
    learningRate: scheduled(schedule ?? 'constant', learningRate ?? (kind === 'sgd' ? preset.learningRate : 0.001)),
    ...changes,
  }
  if (kind === 'adam') return adam(shared)
  if (kind === 'adamw') return adamW(shared)
  return sgd({ ...shared, ...(momentum !== undefined && { momentum }), nesterov })
}

/** The highest of an optimiser's rates. */
export function highestOf({ learningRate = 0 }: Optimizer): number {
  if (typeof learningRate === 'object' && 'maxLearningRate' in learningRate) return learningRate.maxLearningRate
  if (typeof learningRate === 'object' && 'learningRate' in learningRate) return highestOf(learningRate)
  return typeof learningRate === 'number' ? learningRate : 0
}

/** A schedule that ends with the training. */
function scheduled(schedule: (typeof scheduleNames)[number], learningRate: number): LearningRate {
  if (schedule === 'cosine') return cosineDecay({ learningRate })
  return schedule === 'one-cycle' ? oneCycle({ maxLearningRate: learningRate }) : learningRate
}

/** A decimal number from 0 to below 1. */
export function share(name: string, given: string): number {
  const number = decimal(name, given)
  if (number < 1) return number
  throw new UsageError(`Expected a number from 0 to below 1 for --${name}, but received "${given}".`)
}
