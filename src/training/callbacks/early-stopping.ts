import { expectBoolean, expectInteger, expectSettings } from '../../expect.js'
import type { Parameter } from '../../network/parameters.js'
import type { Callback } from '../callbacks.js'
import { readParameters, writeParameters } from './kept-parameters.js'
import { type Best, better, type MonitorOptions, monitorChecks, readBest, writeBest } from './monitor.js'
import { readState } from './state.js'

export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs, at least 1, in a row that are not better, after which training ends; 3 by default. */
  patience?: number
  /** Whether the network has the parameters of the best epoch at the end; false by default. */
  restoreBest?: boolean
}

/** Ends the training when a figure gets no better. */
export interface EarlyStopping extends Callback {
  /** The number of the best epoch so far. */
  readonly bestEpoch: number | undefined
}

interface State {
  best: Best
  bestEpoch: number | undefined
  waited: number
  parameters: Record<string, Parameter> | undefined
}

const fresh: State = { best: undefined, bestEpoch: undefined, waited: 0, parameters: undefined }

/**
 * Ends the training when `patience` epochs in a row have been no better than the best before them by more than `minDelta` (0 by
 * default); an epoch whose figure is NaN is none. With `restoreBest`, it keeps a copy of the best epoch's parameters, in a checkpoint
 * too, and puts them back however the training ends.
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): EarlyStopping {
  const settings = expectSettings<EarlyStoppingOptions>('earlyStopping', options, {
    ...monitorChecks(0),
    patience: (value = 3) => expectInteger('patience', value, 1),
    restoreBest: (value = false) => expectBoolean('restoreBest', value),
  })
  let now = fresh
  return {
    get bestEpoch() {
      return now.bestEpoch
    },
    onBegin({ isResumed }) {
      if (!isResumed) now = fresh
    },
    async onEpoch(epoch, run) {
      const best = better(settings, now.best, epoch)
      if (best === undefined) {
        now = { ...now, waited: now.waited + 1 }
        if (now.waited >= settings.patience) run.stop()
        return
      }
      const parameters = settings.restoreBest ? await run.net.parameters() : undefined
      now = { best, bestEpoch: epoch.epoch, waited: 0, parameters }
    },
    async onEnd(run) {
      if (now.parameters) await run.net.setParameters(now.parameters)
    },
    state() {
      const { best, bestEpoch = null, waited, parameters } = now
      return { best: writeBest(best), bestEpoch, waited, parameters: parameters ? writeParameters(parameters) : null }
    },
    restore(state) {
      now = readState<State>('earlyStopping', state, {
        best: readBest,
        bestEpoch: (value) => (value === null ? undefined : expectInteger('bestEpoch', value, 1)),
        waited: (value) => expectInteger('waited', value, 0),
        parameters: (value) => (value === null ? undefined : readParameters(value)),
      })
    },
  }
}
