/** Callbacks of `fit`: what is told of a training as it goes, and may steer it. */

import { reading, readOnce, type Unchecked, unexpected } from '../expect.js'
import type { Sequential } from '../network/sequential.js'
import type { Epoch } from './fit.js'

/** What a callback is told of the training that it belongs to. */
export interface Run {
  /** The network that is trained. */
  readonly net: Sequential
  /** Epochs that there will be at most. */
  readonly epochs: number
  /** Batches of an epoch. */
  readonly stepsPerEpoch: number
  /** Whether it goes on from a checkpoint; callbacks have then been given what they remembered. */
  readonly isResumed: boolean
  /** The figures of the epochs so far, with the one that `onEpoch` is called for. */
  readonly history: readonly Epoch[]
  /** What the optimiser's learning rate is multiplied by from the next epoch on, with an `onStep` from the next step on; 1 at first. */
  learningRateFactor: number
  /**
   * Ends the training after this epoch or, called from `onStep`, after this step, as if there were no more; the epoch is yielded
   * still, with the figures of what there was of it.
   */
  stop(): void
}

/** One step's figures. */
export interface StepFigures {
  /** Counts from 1. */
  epoch: number
  /** Counts from 1, over all epochs of the `fit`. */
  step: number
  /** Training images of the epoch that are done. */
  images: number
  /** Training images in all. */
  total: number
  /** Mean loss of the batch, before the step. */
  loss: number
  /** Of the step. */
  learningRate: number
}

/**
 * What `fit` calls as it trains. All is awaited, and what it throws ends the training. An object of this kind is for one `fit` at a
 * time, and begins anew with the next.
 */
export interface Callback {
  /** Before the first epoch, when the network has its parameters. */
  onBegin?(run: Run): unknown
  /** After each step. Where one is called so, epochs are trained one step at a time, which takes longer and gives the same. */
  onStep?(step: StepFigures, run: Run): unknown
  /** After each epoch, before it is yielded. */
  onEpoch?(epoch: Epoch, run: Run): unknown
  /**
   * Once, however the training ends: also by an error, an abort, or a loop that was left. The network is free again by then. An
   * error of its own does not hide the first.
   */
  onEnd?(run: Run): unknown
  /** What it has to remember where a training is resumed from a checkpoint: plain JSON. */
  state?(): unknown
  /** Takes what `state` gave, before `onBegin`; throws CHECKPOINT_INVALID for anything else. */
  restore?(state: unknown): void
}

/** Options of `fit` that are called as it trains. */
export interface CallbackOptions {
  /** Called in their order; a function stands for a callback's `onEpoch`. */
  callbacks?: readonly (Callback | ((epoch: Epoch, run: Run) => unknown))[]
  /** As a callback's that comes after all others. */
  onStep?: (step: StepFigures, run: Run) => unknown
  /** As a callback's that comes after all others. */
  onEpoch?: (epoch: Epoch, run: Run) => unknown
  /** As a callback's that comes after all others. */
  onEnd?: (run: Run) => unknown
}

const methods: Record<keyof Callback, true> = {
  onBegin: true,
  onStep: true,
  onEpoch: true,
  onEnd: true,
  state: true,
  restore: true,
}

const calls = ['onBegin', 'onStep', 'onEpoch', 'onEnd'] as const

/**
 * All callbacks that a `fit` was given, as they are now, checked.
 * The default export, as src/index.ts passes on the names that users need.
 * @internal
 */
export default function checkCallbacks(given: Unchecked<CallbackOptions>): readonly Callback[] {
  const { callbacks = [], onStep, onEpoch, onEnd } = given
  const listed = reading('callbacks', () => {
    if (Array.isArray(callbacks)) return Array.from(callbacks, (one, i) => checkCallback(`callbacks[${i}]`, one))
    throw unexpected('callbacks', 'an array of callbacks, such as [earlyStopping()],', callbacks)
  })
  return [...listed, methodsOf({ onStep, onEpoch, onEnd }, (key) => key)]
}

function checkCallback(name: string, callback: unknown): Callback {
  if (typeof callback === 'function') return { onEpoch: callback as NonNullable<Callback['onEpoch']> }
  const given = readOnce<Callback>(name, callback, methods)
  const checked = methodsOf(given, (key) => `${name}.${key}`, callback)
  // An object may have fields of its own, but what looks like a call that would never come is a typo.
  const stranger = reading(name, () =>
    Object.keys(Object(callback)).find((key) => /^on[A-Z]/.test(key) && !(key in methods)),
  )
  if (stranger !== undefined)
    throw unexpected(name, `a callback, which knows ${calls.join(', ')} and no ${stranger},`, callback)
  if (calls.some((call) => checked[call])) return checked
  throw unexpected(name, `a function or an object with ${calls.slice(0, -1).join(', ')} or ${calls.at(-1)}`, callback)
}

/** Those that there are, each a function that is called on the object it is of. */
function methodsOf(given: Unchecked<Callback>, nameOf: (key: string) => string, object?: unknown): Callback {
  const there = Object.entries(given).filter(([, method]) => method !== undefined)
  const bound = there.map(([key, method]) => {
    if (typeof method !== 'function') throw unexpected(nameOf(key), 'a function', method)
    return [key, method.bind(object)]
  })
  return Object.fromEntries(bound)
}
