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
 * The settings of an optimiser, from {@link sgd} or made by hand. Its velocity lives with the network for as long as the same
 * object is passed to `fit` or `step`; another object starts afresh.
 */
export type Optimizer = Readonly<SgdOptions>

/** Stochastic gradient descent: g += weightDecay · w, v = momentum · v + g, w -= learningRate · v. */
export function sgd(options: SgdOptions): Required<Readonly<SgdOptions>> {
  return expectSettings('sgd', options, sgdSettings)
}

const sgdSettings: Checks<SgdOptions> = {
  learningRate: (value) => expectFloat32('learningRate', value, 0),
  momentum: (value = 0) => expectFloat32('momentum', value, 0, 1),
  weightDecay: (value = 0) => expectFloat32('weightDecay', value, 0),
}

/** What checks the settings of an optimiser of each kind. One that says no kind is SGD. */
const optimizers = {
  sgd: (given: unknown) => expectSettings('optimizer', given, sgdSettings),
}

type Kind = keyof typeof optimizers

/**
 * What an engine is told of an optimiser that may be made by hand: its settings as they are now, checked and completed, as JSON,
 * and its number, by which the engine knows whose velocity it holds.
 * @internal
 */
export default function optimizerForEngine(optimizer: unknown): { settings: string; id: number } {
  const { kind = 'sgd' } = readOnce<{ kind: string }>('optimizer', optimizer, { kind: true })
  if (typeof kind !== 'string' || !Object.hasOwn(optimizers, kind)) {
    throw unexpected('optimizer', 'an optimizer, such as sgd({ learningRate: 0.1 }),', optimizer)
  }
  const settings = JSON.stringify({ kind, ...optimizers[kind as Kind](optimizer) })
  return { settings, id: identify(optimizer as Optimizer) }
}

const numbers = new WeakMap<Optimizer, number>()
let count = 0

function identify(optimizer: Optimizer): number {
  const known = numbers.get(optimizer)
  if (known !== undefined) return known
  numbers.set(optimizer, ++count)
  return count
}
