/** A training as its callbacks see it, and what they make of it. */

import { CandlewickError } from '../errors.js'
import { type Checks, expectBoolean, unexpected } from '../expect.js'
import { readNumber, readState, writeNumber } from './callbacks/state.js'
import type { Callback, Run, StepFigures } from './callbacks.js'
import type { Epoch } from './fit.js'
import type { Rates } from './rates.js'

/** What `fit` tells, and asks, in its loop. */
export interface Attended {
  /** Whether somebody wants to be told of each step. */
  readonly byStep: boolean
  /** Whether somebody has said that this is the end. */
  readonly isStopped: boolean
  begin(stepsPerEpoch: number): Promise<void>
  step(figures: StepFigures): Promise<void>
  /** Gives the figures back. */
  epoch<E extends Epoch>(epoch: E): Promise<E>
  /** Says that an error is on its way, which no other is to hide. */
  fail(): void
  end(): Promise<void>
  /** The rates of `count` steps, and the last of them, times the factor that callbacks have set. */
  scaled(schedule: { rates: Rates; last: number }, count: number): { rates: Rates; last: number }
  /** What is to be remembered where the training is resumed: plain JSON. */
  state(): unknown
  /** Takes what `state` gave, with the same callbacks, before `begin`; throws CHECKPOINT_INVALID for anything else. */
  restore(state: unknown): void
}

export function attend(callbacks: readonly Callback[], what: Pick<Run, 'net' | 'epochs'>): Attended {
  const history: Epoch[] = []
  let [factor, isStopped, isResumed, hasFailed] = [1, false, false, false]
  let told: readonly Callback[] = [] // of the beginning, and so of the end
  let steps = 0 // of an epoch, as it is known from the beginning on
  const run: Run = {
    ...what,
    history,
    get stepsPerEpoch() {
      return steps
    },
    get isResumed() {
      return isResumed
    },
    get learningRateFactor() {
      return factor
    },
    set learningRateFactor(value) {
      factor = expectFactor(value)
    },
    stop() {
      isStopped = true
    },
  }
  return {
    byStep: callbacks.some(({ onStep }) => onStep),
    get isStopped() {
      return isStopped
    },
    async begin(stepsPerEpoch) {
      steps = stepsPerEpoch
      for (const [i, callback] of callbacks.entries()) {
        told = callbacks.slice(0, i + 1)
        await callback.onBegin?.(run)
      }
    },
    async step(figures) {
      for (const { onStep } of callbacks) await onStep?.(figures, run)
    },
    async epoch(epoch) {
      history.push(epoch)
      for (const { onEpoch } of callbacks) await onEpoch?.(epoch, run)
      return epoch
    },
    fail() {
      hasFailed = true
    },
    async end() {
      const ended = await allSettled(told, ({ onEnd }) => onEnd?.(run))
      if (ended && !hasFailed) throw ended.error
    },
    scaled({ rates, last }, count) {
      if (factor === 1) return { rates, last }
      const own = rates.learningRates ?? new Float64Array(count).fill(last)
      return { rates: { ...rates, learningRates: own.map((rate) => rate * factor) }, last: last * factor }
    },
    state() {
      const written = history.map((epoch) => Object.fromEntries(Object.entries(epoch).map(writeFigure)))
      return {
        learningRateFactor: factor,
        isStopped,
        history: written,
        callbacks: callbacks.map(({ state }) => state?.() ?? null),
      }
    },
    restore(state) {
      const kept = readState('the callbacks of fit', state, checksOf(callbacks))
      factor = kept.learningRateFactor
      isStopped = kept.isStopped
      isResumed = true
      history.splice(0, history.length, ...kept.history)
      callbacks.forEach(({ restore }, i) => {
        restore?.(kept.callbacks[i])
      })
    },
  }
}

/** Calls one after the other, whatever becomes of them; the first error. */
async function allSettled<T>(all: readonly T[], call: (one: T) => unknown): Promise<{ error: unknown } | undefined> {
  let first: { error: unknown } | undefined
  for (const one of all) {
    try {
      await call(one)
    } catch (error) {
      first ??= { error }
    }
  }
  return first
}

interface State {
  learningRateFactor: number
  isStopped: boolean
  history: Epoch[]
  callbacks: unknown[]
}

function checksOf(callbacks: readonly Callback[]): Checks<State> {
  return {
    learningRateFactor: expectFactor,
    isStopped: (value) => expectBoolean('isStopped', value),
    history: (value) => readHistory(value),
    callbacks(value) {
      if (Array.isArray(value) && value.length === callbacks.length) return value
      // The last are fit's own onStep, onEpoch and onEnd.
      const theirs = Array.isArray(value) ? Math.max(value.length - 1, 0) : 'no'
      const message = `it is of ${theirs} callbacks, but fit has ${callbacks.length - 1}`
      throw new CandlewickError('CHECKPOINT_INVALID', `${message}; give it the same.`)
    },
  }
}

function expectFactor(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value
  throw unexpected('learningRateFactor', 'a finite number of at least 0', value)
}

function writeFigure([name, value]: [string, unknown]): [string, unknown] {
  return [name, typeof value === 'number' ? writeNumber(value) : value]
}

/** Figures that are not numbers are taken as they are. */
function readHistory(value: unknown): Epoch[] {
  if (!Array.isArray(value)) throw new CandlewickError('CHECKPOINT_INVALID', 'its history is no list of epochs.')
  return value.map((epoch) => {
    const figures = Object.entries(Object(epoch)).map(([name, figure]) => [
      name,
      typeof figure === 'object' ? figure : readNumber(name, figure),
    ])
    return Object.fromEntries(figures)
  })
}
