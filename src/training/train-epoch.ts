import { callAddonAsync, type Engine, type NativeDataset, type Progress, type Sums } from '../addon.js'
import { abortable } from './abortable.js'
import type { Rates } from './rates.js'
import { countSteps } from './steps.js'

/** An epoch, as the engine is told of it. */
export interface EpochPlan {
  readonly engine: Engine
  readonly images: NativeDataset
  readonly order: Uint32Array
  readonly batchSize: number
  /** As JSON. */
  readonly loss: string
  /** Its settings as JSON, and its number. */
  readonly optimizer: { readonly settings: string; readonly id: number }
  /** Those of all its steps, as they are now. */
  readonly rates: () => { readonly rates: Rates }
  /** As JSON. */
  readonly augment?: string | undefined
}

export interface EpochWatch {
  /** Ends the epoch within a batch; it then resolves to what there is so far. */
  readonly signal: AbortSignal | undefined
  /** Called about ten times a second. */
  readonly report: (progress: Progress) => unknown
  /** Images up to which to train before the next look at `between`, after so many. */
  readonly until: (count: number) => number
  /** Told before each part how the epoch is paused, as for a checkpoint. */
  readonly begin: (pause: () => void) => void
  /** Called wherever the epoch pauses, and at its end. */
  readonly between: (sums: Sums, before: Sums) => Promise<void>
  /** Whether the epoch is to end where it is. */
  readonly isOver: () => boolean
}

/**
 * Trains what is left of an epoch after the images in `from`. It pauses where somebody waits for the network, is then the next in
 * line, and comes to the same bits.
 */
export function trainEpoch(plan: EpochPlan, from: Sums, watch: EpochWatch): Promise<Sums> {
  const { signal, report, until, begin, between, isOver } = watch
  const work = async (progress: Progress) => {
    let sums = from
    while (sums.count < plan.order.length && !signal?.aborted && !isOver()) {
      const before = sums
      begin(() => progress.pause(true))
      sums = await trainUntil(Math.min(until(before.count), plan.order.length), plan, before, progress)
      await between(sums, before)
      if (!signal?.aborted) progress.pause(false)
    }
    return sums
  }
  return abortable(signal, work, { givesWay: true, report, stop: (progress) => progress.pause(true) })
}

async function trainUntil(end: number, plan: EpochPlan, sums: Sums, progress: Progress): Promise<Sums> {
  const { engine, images, batchSize, loss, augment } = plan
  const { id, settings } = plan.optimizer
  const optimizer = { settings, id, ...firstOf(plan.rates().rates, Math.ceil(end / batchSize)) }
  const options = { batchSize, loss, optimizer, ...(augment !== undefined && { augment }), until: end }
  const count = (done: number) => countSteps(engine, id, Math.max(0, Math.ceil((done - sums.count) / batchSize)))
  try {
    const done = await callAddonAsync(() => engine.train(images, plan.order, options, sums, progress))
    count(done.count)
    return done
  } catch (error) {
    count(progress.images)
    throw error
  }
}

/** The rates of the first steps. */
function firstOf({ learningRates, momenta }: Rates, steps: number): Rates {
  return {
    ...(learningRates && { learningRates: learningRates.subarray(0, steps) }),
    ...(momenta && { momenta: momenta.subarray(0, steps) }),
  }
}
