import { type Checks, expectFloat32, expectOneOf, expectString } from '../../expect.js'
import type { Epoch } from '../fit.js'
import { type Figure, figureOf } from './figures.js'
import { readNumber, writeNumber } from './state.js'

/** What says whether an epoch is better than those before it. */
export interface MonitorOptions {
  /** Which figure; by default the loss of the validation images if there are any, else of the test images, else of the training. */
  monitor?: Figure | undefined
  /** Whether less is better or more; by default more of what is called `...Acc`, and less of all else. */
  mode?: 'min' | 'max' | undefined
  /** By how much an epoch has to be better, at least 0. */
  minDelta?: number
}

export function monitorChecks(minDelta: number): Checks<MonitorOptions> {
  return {
    monitor: (value) => (value === undefined ? undefined : (expectString('monitor', value) as Figure)),
    mode: (value) => (value === undefined ? undefined : expectOneOf('mode', ['min', 'max'], value)),
    minDelta: (value = minDelta) => expectFloat32('minDelta', value, 0),
  }
}

const byDefault = ['valLoss', 'testLoss', 'loss']

/** The value of the best epoch so far; nothing before the first, or while all are NaN. */
export type Best = number | undefined

/** The epoch's value if it is better than the best so far. */
export function better({ monitor, mode, minDelta }: Required<MonitorOptions>, best: Best, epoch: Epoch): Best {
  const name = monitor ?? (byDefault.find((loss) => loss in epoch) as string)
  const value = figureOf(epoch, name)
  const sign = (mode ?? (/acc$/i.test(name) ? 'max' : 'min')) === 'min' ? 1 : -1
  const isBetter = best === undefined ? !Number.isNaN(value) : sign * value < sign * best - minDelta
  return isBetter ? value : undefined
}

/** As plain JSON. */
export function writeBest(best: Best): unknown {
  return best === undefined ? null : writeNumber(best)
}

export function readBest(value: unknown): Best {
  return value === null ? undefined : readNumber('best', value)
}
