import { expectFloat32, expectOptions } from '../expect.js'

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
export function sgd(options: SgdOptions): Required<Optimizer> {
  return settings('sgd', options)
}

/**
 * The settings of an optimiser that may not come from {@link sgd}, as they are now, checked and completed as that does it.
 * @internal
 */
export function checkOptimizer(optimizer: unknown): Required<Optimizer> {
  return settings('optimizer', optimizer)
}

function settings(name: string, options: unknown): Required<Optimizer> {
  const keys = { learningRate: true, momentum: true, weightDecay: true } as const
  const { learningRate, momentum = 0, weightDecay = 0 } = expectOptions<SgdOptions>(name, options, keys)
  return {
    learningRate: expectFloat32('learningRate', learningRate, 0),
    momentum: expectFloat32('momentum', momentum, 0, 1),
    weightDecay: expectFloat32('weightDecay', weightDecay, 0),
  }
}

const numbers = new WeakMap<Optimizer, number>()
let optimizers = 0

/**
 * The number of an optimiser, by which an engine knows whose velocity it holds.
 * @internal
 */
export function identify(optimizer: Optimizer): number {
  const known = numbers.get(optimizer)
  if (known !== undefined) return known
  numbers.set(optimizer, ++optimizers)
  return optimizers
}
