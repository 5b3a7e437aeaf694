/** A training, epoch by epoch: how one begins, and what its next epoch comes to. */

import { performance } from 'node:perf_hooks'
import { callAddonAsync, type Engine, type Sums } from '../addon.js'
import type { Dataset } from '../data/dataset.js'
import { numbersOf, toNumbers } from '../data/places.js'
import { CandlewickError } from '../errors.js'
import { readNormalization } from '../network/normalization.js'
import type { Sequential } from '../network/sequential.js'
import { type Draws, type DrawsState, draws, drawsFrom } from '../random.js'
import { progressInterval } from './abortable.js'
import { type CheckpointClock, markOf, type RunMark, resumeRun, writeRun } from './checkpoint.js'
import type { Epoch, FitSettings } from './fit-options.js'
import { checkResumed, normalizeBy } from './normalize.js'
import checkOptimizer from './optimizers.js'
import type { Attended } from './run.js'
import schedules from './schedules.js'
import { setSteps, stepsOf } from './steps.js'
import { accuracyOf, meanLoss, noSums, sumsBetween } from './sums.js'
import { trainEpoch } from './train-epoch.js'
import { divide, shareOf } from './validation.js'

/** A training underway. */
export interface Training {
  readonly net: Sequential
  readonly engine: Engine
  readonly train: Dataset
  readonly validation: Dataset | undefined
  /** By which that was split off. */
  readonly splitSeed: number
  readonly settings: FitSettings
  /** Its callbacks. */
  readonly attended: Attended
  readonly draws: Draws
  /** The steps at the end of the last epoch. */
  readonly totalSteps: number
  /** None where no checkpoint is asked for. */
  readonly mark: RunMark | undefined
  /** The epoch that trains, or is the next to. */
  epoch: number
  /** Of what is done of it. */
  sums: Sums
  /** That it has taken so far. */
  seconds: number
  /** By what it, and all that follow, are drawn. */
  drawn: DrawsState
  /** The place of the last checkpoint, or of the beginning. */
  saved: string
  /** When `onProgress` was told the last time. */
  told: number
}

/** Begins a training, or goes on with one from its checkpoint. */
export async function begin(
  net: Sequential,
  engine: Engine,
  images: Dataset,
  settings: FitSettings,
  attended: Attended,
): Promise<Training> {
  const { epochs, batchSize, shuffle, seed, checkpoint, normalize } = settings
  const { id, kind } = checkOptimizer(settings.optimizer)
  const isKept = checkpoint.path !== undefined || checkpoint.resume !== undefined
  const validation = shareOf(settings.validation) ?? null
  const mark = isKept ? await markOf(images, { validation, batchSize, shuffle, optimizer: kind }) : undefined
  const divided = (splitSeed: number) => ({ splitSeed, ...divide(images, settings.validation, splitSeed, shuffle) })
  const training = { net, engine, settings, attended, mark, told: performance.now() }
  if (checkpoint.resume === undefined || mark === undefined) {
    const parts = divided(seed ?? net.seed)
    if (normalize !== undefined) await normalizeBy(net, engine, parts.train)
    const totalSteps = stepsOf(engine, id) + epochs * Math.ceil(parts.train.length / batchSize)
    const drawing = seed === undefined ? net.draws : draws(seed)
    const place = { epoch: 1, sums: noSums, seconds: 0, drawn: drawing.state(), saved: '1, 0' }
    return { ...training, ...parts, ...place, totalSteps, draws: drawing }
  }
  const resumed = await resumeRun(checkpoint.resume, net.describeForFile(), mark)
  const normalization = readNormalization(resumed.saved.normalization)
  checkResumed(checkpoint.resume, normalization, net.normalization, normalize)
  const parts = divided(resumed.splitSeed)
  const drawing = drawsFrom(resumed.draws)
  const own = resumed.ownDraws ? drawsFrom(resumed.ownDraws) : drawing
  attended.restore(resumed.callbacks)
  await callAddonAsync(() => engine.restoreRun(resumed.saved, id))
  net.knowNormalization(normalization)
  setSteps(engine, id, resumed.steps)
  net.goOnFrom(resumed.seed, own)
  const { epoch, sums, seconds, totalSteps } = resumed
  const place = { epoch, sums, seconds, drawn: resumed.draws, saved: '' }
  return { ...training, ...parts, ...place, totalSteps, draws: drawing }
}

/** Trains what is left of the next epoch, or as much of it as callbacks want. */
export async function trainNext(training: Training, clock: CheckpointClock): Promise<Epoch> {
  const { train, settings, attended, draws, epoch, sums: from } = training
  training.drawn = draws.state() // also of what others have drawn since the last epoch
  const { batchSize, shuffle, augment, loss, signal } = settings
  const order = shuffle ? toNumbers(train, await draws.nextOrder(train.length, 0)) : numbersOf(train)
  const augmenting = augment && JSON.stringify({ augmentations: augment, ...draws.nextSeed() })
  const stepsOfEpoch = Math.ceil(train.length / batchSize)
  const { settings: optimizer, id, learningRate } = checkOptimizer(settings.optimizer)
  const made = stepsOf(training.engine, id) - Math.ceil(from.count / batchSize)
  const schedule = schedules.ratesOf(learningRate, { made, count: stepsOfEpoch, total: training.totalSteps })
  const atFirst = attended.scaled(schedule, stepsOfEpoch)
  const rates = () => (attended.byStep ? attended.scaled(schedule, stepsOfEpoch) : atFirst)
  const rateAfter = (images: number) => {
    const step = Math.min(Math.max(Math.ceil(images / batchSize), 1), stepsOfEpoch)
    return rates().rates.learningRates?.[step - 1] ?? rates().last
  }
  const [start, before] = [performance.now(), training.seconds]
  const progress = progressOf(training, rateAfter)
  let taken = rateAfter(from.count) // by the last step, before callbacks said what that of the next is
  const seconds = () => before + (performance.now() - start) / 1000
  const plan = { engine: training.engine, images: train.native, order, batchSize, loss: loss.settings }
  const sums = await trainEpoch({ ...plan, rates, augment: augmenting, optimizer: { settings: optimizer, id } }, from, {
    signal,
    report: progress.tell,
    until: (count) => (attended.byStep ? count + batchSize : clock.until(count)),
    begin: clock.begin,
    async between(sums, before) {
      Object.assign(training, { sums, seconds: seconds() })
      taken = rateAfter(sums.count)
      if (attended.byStep) {
        const step = (epoch - 1) * stepsOfEpoch + Math.ceil(sums.count / batchSize)
        const of = { epoch, step, images: sums.count, total: train.length }
        await attended.step({ ...of, loss: meanLoss(sumsBetween(before, sums)), learningRate: taken })
      }
      if (clock.isDue(sums.count)) await save(training, clock)
    },
    isOver: () => attended.byStep && attended.isStopped,
  }).catch((error) => {
    throw inEpoch(epoch, error)
  })
  signal?.throwIfAborted()
  await progress.tellOfEnd(sums)
  const trainAcc = accuracyOf(sums)
  const scored = trainAcc !== undefined && { trainAcc }
  return { epoch, loss: meanLoss(sums), ...scored, learningRate: taken, trainSeconds: training.seconds }
}

/** What `onProgress` is told of an epoch that begins now. */
function progressOf(training: Training, rateAfter: (images: number) => number) {
  const { train, settings, epoch, sums } = training
  const { onProgress, batchSize } = settings
  const start = performance.now()
  const tell = ({ images, loss, accuracy }: { images: number; loss: number; accuracy: number }): unknown => {
    if (images <= sums.count) return undefined // there is nothing to tell of yet
    training.told = performance.now()
    const imagesPerSecond = (1000 * (images - sums.count)) / (training.told - start)
    const learningRate = rateAfter(images + batchSize)
    const scored = !Number.isNaN(accuracy) && { trainAcc: accuracy }
    return onProgress?.({ epoch, images, total: train.length, loss, ...scored, learningRate, imagesPerSecond })
  }
  return {
    tell,
    /** An epoch of a few milliseconds ends before its timer strikes. */
    async tellOfEnd(sums: Sums) {
      if (performance.now() - training.told < progressInterval) return
      await tell({ images: sums.count, loss: meanLoss(sums), accuracy: accuracyOf(sums) ?? Number.NaN })
    },
  }
}

/** What the checkpoint says of where the training is. */
function placeOf({ epoch, sums }: Training): string {
  return `${epoch}, ${sums.count}`
}

/** Writes the checkpoint of a training that a signal has ended, where the last one is of an earlier place. */
export async function saveAtEnd(training: Training, clock: CheckpointClock): Promise<void> {
  if (training.saved !== placeOf(training)) await save(training, clock)
}

/** Writes the checkpoint, if there is to be one: where the training is in its epoch, and what that was drawn by. */
export async function save(training: Training, clock: CheckpointClock): Promise<void> {
  const { net, engine, settings, attended, mark, epoch, sums, seconds, totalSteps, draws, drawn, splitSeed } = training
  const { path } = settings.checkpoint
  if (path === undefined || mark === undefined) return
  const steps = stepsOf(engine, checkOptimizer(settings.optimizer).id)
  const callbacks = attended.state()
  const ownDraws = draws === net.draws ? null : net.draws.state()
  const place = {
    epoch,
    sums,
    seconds,
    steps,
    totalSteps,
    draws: drawn,
    seed: net.seed,
    ownDraws,
    splitSeed,
    callbacks,
  }
  await writeRun(path, engine, net.describeForFile(), mark, place)
  training.saved = placeOf(training)
  clock.written()
}

/** A training that diverged says in which epoch. */
function inEpoch(epoch: number, error: unknown): unknown {
  if (!(error instanceof CandlewickError) || error.code !== 'DIVERGED') return error
  const message = error.message.charAt(0).toLowerCase() + error.message.slice(1)
  return new CandlewickError('DIVERGED', `The training diverged in epoch ${epoch}: ${message}`, { cause: error })
}
