import { type Checks, expectFloat32, expectSettings, readOnce, unexpected } from '../expect.js'

export interface SgdOptions {
  /** At least 0. */
  learningRate: number
  /** 0 (none, the default) to below 1. */
  momentum?: number
  /** At least 0 (the default). */
  weightDecay?: number
}

/**
 * The settings of an optimiser, from {@link sgd} or {@link adam} or made by hand. What it keeps from step to step (velocity,
 * means) lives with the network for as long as the same object is passed to `fit` or `step`; another object starts afresh.
 */
export type Optimizer = Readonly<SgdOptions> | Adam

/** Stochastic gradient descent: g += weightDecay · w, v = momentum · v + g, w -= learningRate · v. */
export function sgd(options: SgdOptions): Required<Readonly<SgdOptions>> {
  return expectSettings('sgd', options, sgdSettings)
}

const sgdSettings: Checks<SgdOptions> = {
  learningRate: (value) => expectFloat32('learningRate', value, 0),
  momentum: (value = 0) => expectFloat32('momentum', value, 0, 1),
  weightDecay: (value = 0) => expectFloat32('weightDecay', value, 0),
}

export interface AdamOptions {
  /** At least 0; 0.001 by default. */
  learningRate?: number
  /** Of the mean of gradients, 0 to below 1; 0.9 by default. */
  beta1?: number
  /** Of the mean of their squares, 0 to below 1; 0.999 by default. */
  beta2?: number
  /** At least 0; 1e-8 by default, as in PyTorch. */
  epsilon?: number
}

export interface Adam extends Readonly<Required<AdamOptions>> {
  readonly kind: 'adam'
}

/**
 * Adam: m = beta1 · m + (1 - beta1) · g, v = beta2 · v + (1 - beta2) · g², and at the t-th step
 * w -= learningRate · m / (1 - beta1ᵗ) / (√(v / (1 - beta2ᵗ)) + epsilon).
 */
export function adam(options: AdamOptions = {}): Adam {
  return { kind: 'adam', ...expectSettings('adam', options, adamSettings) }
}

const adamSettings: Checks<AdamOptions> = {
  learningRate: (value = 0.001) => expectFloat32('learningRate', value, 0),
  beta1: (value = 0.9) => expectFloat32('beta1', value, 0, 1),
  beta2: (value = 0.999) => expectFloat32('beta2', value, 0, 1),
  epsilon: (value = 1e-8) => expectFloat32('epsilon', value, 0),
}

/** What checks the settings of an optimiser of each kind. One that says no kind is SGD. */
const optimizers = {
  sgd: (given: unknown) => expectSettings('optimizer', given, { kind: () => 'sgd', ...sgdSettings }),
  adam: (given: unknown) => expectSettings('optimizer', given, { kind: () => 'adam', ...adamSettings }),
}

type Kind = keyof typeof optimizers

/**
 * What an engine is told of an optimiser that may be made by hand: its settings as they are now, checked and completed, as JSON,
 * and its number, by which the engine knows whose state it holds.
 * The default export, as src/index.ts passes on all names of this file.
 * @internal
 */
export default function optimizerForEngine(optimizer: unknown): { settings: string; id: number } {
  const { kind = 'sgd' } = readOnce<{ kind: string }>('optimizer', optimizer, { kind: true })
  if (typeof kind !== 'string' || !Object.hasOwn(optimizers, kind)) {
    throw unexpected('optimizer', 'an optimizer, such as sgd({ learningRate: 0.1 }),', optimizer)
  }
  const settings = optimizers[kind as Kind](optimizer)
  return { settings: JSON.stringify(settings), id: identify(optimizer as Optimizer) }
}

const numbers = new WeakMap<Optimizer, number>()
let count = 0

function identify(optimizer: Optimizer): number {
  const known = numbers.get(optimizer)
  if (known !== undefined) return known
  numbers.set(optimizer, ++count)
  return count
}
