import { expectFloat32, expectInteger, expectSettings, unexpected } from '../../expect.js'
import type { Callback } from '../callbacks.js'
import { type Best, better, type MonitorOptions, monitorChecks, readBest, writeBest } from './monitor.js'
import { readState } from './state.js'

export interface ReduceOnPlateauOptions extends MonitorOptions {
  /** What the learning rate is multiplied by each time, above 0 and below 1; 0.1 by default. */
  factor?: number
  /** Epochs, at least 1, in a row that are not better, after which it is; 10 by default. */
  patience?: number
  /** Epochs after that before others are counted again; 0 by default. */
  cooldown?: number
  /** The least that the optimiser's own rate is multiplied by in all; 0 by default. */
  minFactor?: number
}

interface State {
  best: Best
  waited: number
  cooling: number
}

const fresh: State = { best: undefined, waited: 0, cooling: 0 }

/**
 * Keras' ReduceLROnPlateau: the learning rate, a schedule's too, becomes smaller when a figure gets no better by more than `minDelta`
 * (1e-4 by default).
 */
export function reduceOnPlateau(options: ReduceOnPlateauOptions = {}): Callback {
  const settings = expectSettings<ReduceOnPlateauOptions>('reduceOnPlateau', options, {
    ...monitorChecks(1e-4),
    factor: (value = 0.1) => expectFactor(value),
    patience: (value = 10) => expectInteger('patience', value, 1),
    cooldown: (value = 0) => expectInteger('cooldown', value, 0),
    minFactor: (value = 0) => expectFloat32('minFactor', value, 0),
  })
  let now = fresh
  return {
    onBegin({ isResumed }) {
      if (!isResumed) now = fresh
    },
    onEpoch(epoch, run) {
      const cooling = Math.max(now.cooling - 1, 0)
      const best = better(settings, now.best, epoch)
      if (best !== undefined || cooling > 0) {
        now = { best: best ?? now.best, waited: 0, cooling }
        return
      }
      const waited = (now.cooling > 0 ? 0 : now.waited) + 1
      if (waited < settings.patience || run.learningRateFactor <= settings.minFactor) {
        now = { ...now, waited, cooling }
        return
      }
      run.learningRateFactor = Math.max(run.learningRateFactor * settings.factor, settings.minFactor)
      now = { ...now, waited: 0, cooling: settings.cooldown }
    },
    state: () => ({ ...now, best: writeBest(now.best) }),
    restore(state) {
      now = readState<State>('reduceOnPlateau', state, {
        best: readBest,
        waited: (value) => expectInteger('waited', value, 0),
        cooling: (value) => expectInteger('cooling', value, 0),
      })
    },
  }
}

function expectFactor(value: unknown): number {
  if (value === 0) throw unexpected('factor', 'a number above 0', value)
  return expectFloat32('factor', value, 0, 1)
}
