import { expectPath, expectSettings } from '../../expect.js'
import type { Callback } from '../callbacks.js'
import { type Best, better, type MonitorOptions, monitorChecks, readBest, writeBest } from './monitor.js'
import { readState } from './state.js'

/**
 * Saves the network's parameters after each epoch that is better than all before it by more than `minDelta` (0 by default): at the
 * end, the file holds those of the best.
 */
export function saveBest(path: string, options: MonitorOptions = {}): Callback {
  const file = expectPath('path', path)
  const settings = expectSettings<MonitorOptions>('saveBest', options, monitorChecks(0))
  let best: Best
  return {
    onBegin({ isResumed }) {
      if (!isResumed) best = undefined
    },
    async onEpoch(epoch, run) {
      const found = better(settings, best, epoch)
      if (found === undefined) return
      await run.net.saveParameters(file)
      best = found
    },
    state: () => ({ best: writeBest(best) }),
    restore(state) {
      best = readState<{ best: Best }>('saveBest', state, { best: readBest }).best
    },
  }
}
