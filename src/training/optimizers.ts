import {
  type Checks,
  expectAbove0,
  expectBoolean,
  expectFloat32,
  expectSettings,
  readOnce,
  unexpected,
} from '../expect.js'
import checkAveraging, { type Averaging } from './averaging.js'
import schedules, { type LearningRate } from './schedules.js'

/**
 * What weight decay is for: `'all'` parameters, as in PyTorch, or `'weights'` alone, so that neither biases nor what a
 * normalisation learns are drawn to zero.
 */
export type Decay = 'all' | 'weights'

/** What every optimiser may be told beside its own settings. */
export interface OptimizerOptions {
  /** `'all'` by default. */
  decay?: Decay
  /**
   * Above 0: where the norm of all gradients together is more, they are multiplied by clipNorm / (norm + 1e-6), as PyTorch's
   * clip_grad_norm_ does. Not clipped by default.
   */
  clipNorm?: number | undefined
  /**
   * An average of the parameters, such as `ema(0.999)`, by which the network answers, is evaluated and saved, while training
   * goes on with the parameters themselves. It is kept like the velocity: another optimiser, and other parameters, begin it anew.
   */
  averaging?: Averaging | undefined
}

/** Options of {@link sgd}. */
export interface SgdOptions extends OptimizerOptions {
  /** At least 0, or a schedule. */
  learningRate: LearningRate
  /** 0 (none, the default) to below 1. */
  momentum?: number
  /** Whether a step looks ahead along the velocity, which takes a momentum; false by default. */
  nesterov?: boolean
  /** At least 0 (the default). */
  weightDecay?: number
}

/**
 * The settings of an optimiser, from {@link sgd}, {@link adam} or {@link adamW} or made by hand. What it keeps from step to step (velocity,
 * means) lives with the network for as long as the same object is passed to `fit` or `step`; another object starts afresh. Its
 * `learningRate` may be set meanwhile: a `fit` underway takes it from its next epoch on, and all else goes on.
 */
export type Optimizer = Readonly<SgdOptions> | Sgd | Adam | AdamW

/** An optimiser's options with what was left out filled in; its learning rate may be set. */
type Settings<T extends { learningRate?: LearningRate }> = Readonly<Required<Omit<T, 'learningRate'>>> & {
  /** A rate or a schedule. */
  learningRate: LearningRate
}

/** What {@link sgd} makes. */
export type Sgd = Settings<SgdOptions>

/**
 * Stochastic gradient descent as PyTorch has it: g += weightDecay · w, v = momentum · v + g, w -= learningRate · v, and with
 * `nesterov` w -= learningRate · (g + momentum · v).
 */
export function sgd(options: SgdOptions): Sgd {
  return checkSgd(expectSettings('sgd', options, sgdSettings))
}

const sharedSettings = {
  learningRate: schedules.check,
  weightDecay: (value: unknown = 0) => expectFloat32('weightDecay', value, 0),
  decay: (value: unknown = 'all') => expectDecay(value),
  clipNorm: (value: unknown) => (value === undefined ? undefined : expectAbove0('clipNorm', value)),
  averaging: checkAveraging,
}

const sgdSettings: Checks<SgdOptions> = {
  ...sharedSettings,
  momentum: (value = 0) => expectFloat32('momentum', value, 0, 1),
  nesterov: (value = false) => expectBoolean('nesterov', value),
}

type Velocity = { readonly [K in 'learningRate' | 'momentum' | 'nesterov']?: SgdOptions[K] | undefined }

function checkSgd<T extends Velocity>(settings: T): T {
  const { learningRate = 0, momentum = 0, nesterov } = settings
  if (!nesterov || momentum > 0 || schedules.cyclesMomentum(learningRate)) return settings
  throw unexpected('momentum', 'a number above 0, along which nesterov looks ahead,', settings.momentum)
}

function expectDecay(value: unknown): Decay {
  if (value === 'all' || value === 'weights') return value
  throw unexpected('decay', "'all' or 'weights'", value)
}

/** Options of {@link adam}. */
export interface AdamOptions extends OptimizerOptions {
  /** At least 0, or a schedule; 0.001 by default. */
  learningRate?: LearningRate
  /** Of the mean of gradients, 0 to below 1; 0.9 by default. */
  beta1?: number
  /** Of the mean of their squares, 0 to below 1; 0.999 by default. */
  beta2?: number
  /** At least 0; 1e-8 by default, as in PyTorch. */
  epsilon?: number
  /** At least 0 (the default): adds weightDecay · w to the gradient. */
  weightDecay?: number
}

/** What {@link adam} makes. */
export interface Adam extends Settings<AdamOptions> {
  /** Its name in JSON. */
  readonly kind: 'adam'
}

/**
 * Adam: g += weightDecay · w, m = beta1 · m + (1 - beta1) · g, v = beta2 · v + (1 - beta2) · g², and at the t-th step
 * w -= learningRate · m / (1 - beta1ᵗ) / (√(v / (1 - beta2ᵗ)) + epsilon).
 */
export function adam(options: AdamOptions = {}): Adam {
  return { kind: 'adam', ...expectSettings('adam', options, adamSettings) }
}

const adamSettings: Checks<AdamOptions> = {
  ...sharedSettings,
  learningRate: (value = 0.001) => schedules.check(value),
  beta1: (value = 0.9) => expectFloat32('beta1', value, 0, 1),
  beta2: (value = 0.999) => expectFloat32('beta2', value, 0, 1),
  epsilon: (value = 1e-8) => expectFloat32('epsilon', value, 0),
}

/** Options of {@link adamW}. */
export interface AdamWOptions extends AdamOptions {
  /** At least 0, 0.01 by default: each step takes learningRate · weightDecay · w from w, whatever the gradient. */
  weightDecay?: number
}

/** What {@link adamW} makes. */
export interface AdamW extends Settings<AdamWOptions> {
  /** Its name in JSON. */
  readonly kind: 'adamW'
}

/** AdamW, as PyTorch has it: w -= learningRate · weightDecay · w, and then {@link adam}'s step without weight decay. */
export function adamW(options: AdamWOptions = {}): AdamW {
  return { kind: 'adamW', ...expectSettings('adamW', options, adamWSettings) }
}

const adamWSettings: Checks<AdamWOptions> = {
  ...adamSettings,
  weightDecay: (value = 0.01) => expectFloat32('weightDecay', value, 0),
}

/** What checks the settings of an optimiser of each kind. One that says no kind is SGD. */
const optimizers = {
  sgd: (given: unknown) => checkSgd(expectSettings('optimizer', given, { kind: () => 'sgd', ...sgdSettings })),
  adam: (given: unknown) => expectSettings('optimizer', given, { kind: () => 'adam', ...adamSettings }),
  adamW: (given: unknown) => expectSettings('optimizer', given, { kind: () => 'adamW', ...adamWSettings }),
}

type Kind = keyof typeof optimizers

/**
 * An optimiser as loops have it.
 * @internal
 */
export interface CheckedOptimizer {
  readonly kind: Kind
  /** As JSON, without the rates of a schedule. */
  readonly settings: string
  /** By which the engine knows whose state it holds. */
  readonly id: number
  readonly learningRate: LearningRate
}

/**
 * An optimiser that may be made by hand: its settings as they are now, checked and completed.
 * The default export, as src/index.ts passes on all names of this file.
 * @internal
 */
export default function checkOptimizer(optimizer: unknown): CheckedOptimizer {
  const { kind = 'sgd' } = readOnce<{ kind: string }>('optimizer', optimizer, { kind: true })
  if (typeof kind !== 'string' || !Object.hasOwn(optimizers, kind)) {
    throw unexpected('optimizer', 'an optimizer, such as sgd({ learningRate: 0.1 }),', optimizer)
  }
  const { learningRate = 0, ...others } = optimizers[kind as Kind](optimizer)
  const settings = { ...others, learningRate: typeof learningRate === 'number' ? learningRate : 0 }
  return { kind: kind as Kind, settings: JSON.stringify(settings), id: identify(optimizer as Optimizer), learningRate }
}

const numbers = new WeakMap<Optimizer, number>()
let count = 0

function identify(optimizer: Optimizer): number {
  const known = numbers.get(optimizer)
  if (known !== undefined) return known
  numbers.set(optimizer, ++count)
  return count
}
