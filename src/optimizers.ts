import { expectNumber, expectOptions } from './expect.js'

export interface SgdOptions {
  /** At least 0. */
  learningRate: number
  /** 0 (none, the default) to below 1. */
  momentum?: number
  /** At least 0 (the default). */
  weightDecay?: number
}

/**
 * The settings of an optimiser. Its velocity lives with the network for as long as the same object is passed to `fit` or
 * `step`; another object starts afresh.
 */
export interface Optimizer {
  readonly learningRate: number
  readonly momentum: number
  readonly weightDecay: number
}

/** Stochastic gradient descent: g += weightDecay · w, v = momentum · v + g, w -= learningRate · v. */
export function sgd(options: SgdOptions): Optimizer {
  expectOptions('sgd', options, ['learningRate', 'momentum', 'weightDecay'])
  return {
    learningRate: expectNumber('learningRate', options.learningRate, 0),
    momentum: expectNumber('momentum', options.momentum ?? 0, 0, 1),
    weightDecay: expectNumber('weightDecay', options.weightDecay ?? 0, 0),
  }
}

/**
 * An optimiser that may not come from {@link sgd}, checked as that checks it.
 * @internal
 */
export function checkOptimizer(optimizer: Optimizer): Optimizer {
  expectOptions('optimizer', optimizer, ['learningRate', 'momentum', 'weightDecay'])
  sgd(optimizer)
  return optimizer
}
