import { performance } from 'node:perf_hooks'
import { callAddonAsync, type Engine, type Sums } from '../addon.js'
import { type Dataset, expectImages } from '../data/dataset.js'
import { numbersOf, toNumbers } from '../data/places.js'
import { CandlewickError } from '../errors.js'
import { expectBoolean, expectInteger, expectOptions, expectSignal, unexpected } from '../expect.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import { type Draws, type DrawsState, draws, drawsFrom, expectSeed } from '../random.js'
import { progressInterval } from './abortable.js'
import { evaluateAfterEpoch } from './after-epoch.js'
import checkAugment, { type Augmentation } from './augmentations.js'
import checkCallbacks, { type CallbackOptions } from './callbacks.js'
import {
  type CheckpointClock,
  type CheckpointEvery,
  checkCheckpoint,
  checkpointClock,
  markOf,
  type RunMark,
  resumeRun,
  writeRun,
} from './checkpoint.js'
import { type Evaluation, evaluateWith } from './evaluate.js'
import lossForEngine, { type Loss, type ScoredLoss } from './losses.js'
import { checkMetrics, type Metrics, type MetricsOptions } from './metrics.js'
import checkOptimizer, { type Optimizer } from './optimizers.js'
import { type Attended, attend } from './run.js'
import schedules from './schedules.js'
import { setSteps, stepsOf } from './steps.js'
import { accuracyOf, meanLoss, noSums, sumsBetween } from './sums.js'
import { noteBytes, suspectEnd, suspectLoss } from './suspicions.js'
import { trainEpoch } from './train-epoch.js'
import { checkValidation, divide, shareOf, type Validation } from './validation.js'

/** One epoch's figures. */
export interface Epoch {
  /** Counts from 1. */
  epoch: number
  /** Mean training loss of an image over the epoch, each batch before its step; of softmax cross-entropy in nats. */
  loss: number
  /**
   * Share of right answers over the epoch: of training images answered correctly or, of sigmoid cross-entropy, of outputs on their
   * target's side of a half. The mean squared error has none.
   */
  trainAcc?: number
  /** Mean loss of a validation image after the epoch; only with `validation`. */
  valLoss?: number
  /** As `trainAcc`, of the validation images after the epoch; only with `validation`. */
  valAcc?: number
  /** Only with `validation` and `metrics`. */
  valMetrics?: Metrics
  /** Mean loss of a test image after the epoch; only with `test`. */
  testLoss?: number
  /** As `trainAcc`, of the test images after the epoch; only with `test`. */
  testAcc?: number
  /** Only with `test` and `metrics`. */
  testMetrics?: Metrics
  /** That of the epoch's last step. */
  learningRate: number
  /** Seconds of training. */
  trainSeconds: number
  /** Seconds of evaluation; only with `validation` or `test`. */
  evalSeconds?: number
}

/** Of a loss whose answers are right or wrong. */
export interface ScoredEpoch extends Epoch {
  trainAcc: number
}

/** How far an epoch is. */
export interface EpochProgress {
  epoch: number
  /** Training images done, and in all. */
  images: number
  total: number
  /** Mean loss of the images that are done. */
  loss: number
  /** As an epoch's, of the images that are done. */
  trainAcc?: number
  /** That of the next step. */
  learningRate: number
  /** Over the epoch, as far as it was trained since this `fit` began. */
  imagesPerSecond: number
}

export interface FitOptions extends CallbackOptions {
  epochs: number
  /** Images of a step; the last step of an epoch may have fewer. */
  batchSize: number
  optimizer: Optimizer
  /** What is made small, here and in the evaluation of `validation` and `test`; {@link softmaxCrossEntropy} by default. */
  loss?: Loss
  /**
   * Evaluated after each epoch: images of their own, or a share such as 0.1 of the training images, which are then trained on without
   * it. Which those are follows from this fit's seed, or else from the network's; of images with labels, it is that share of each class.
   */
  validation?: Validation
  /** Evaluated after each epoch. */
  test?: Dataset
  /** What is to be counted of `validation` and `test` as well, as in {@link evaluate}. */
  metrics?: MetricsOptions
  /** Whether each epoch takes the images in a new random order; true by default. */
  shuffle?: boolean
  /**
   * Random changes to the training images, one after the other, drawn anew for each epoch: `[randomFlip(), randomShift(1)]`. None by
   * default. On a GPU, an epoch's images are then made beside those of the dataset, for as long as it trains.
   */
  augment?: readonly Augmentation[]
  /** 0 to 2³² - 1: decides the orders and the augmentation of this fit. By default they go on from the network's seed. */
  seed?: number
  /** Stops the training within a batch, on a GPU within 32; the loop then throws the signal's reason. */
  signal?: AbortSignal
  /**
   * A file to go on from, should the training end early: all of its state, written whole or not at all, at the times that
   * `checkpointEvery` says, and where `signal` ends it.
   */
  checkpoint?: string
  /** How often the checkpoint is written: `{ seconds: 30 }`, `{ steps: 100 }` or `{ epochs: 1 }`, the default. */
  checkpointEvery?: CheckpointEvery
  /**
   * A checkpoint to go on from, of a `fit` with the same network, data and options: the training ends with the bits of one that
   * was never interrupted. Epochs that are done are not yielded again. The network's own parameters and seed are replaced.
   */
  resume?: string
  /** Called about ten times a second; what it throws, or what its promise is rejected with, ends the training. */
  onProgress?: (progress: EpochProgress) => void
}

/**
 * Trains for some epochs and yields the figures of each: training takes place within `for await (const epoch of fit(...))`, off
 * the event loop, but for the order of the images, which takes it some milliseconds for a million. Arguments are checked at the
 * call. The network is busy until the loop has ended; who takes epochs by hand and stops early must call `return()`, as
 * `for await` does.
 */
export function fit(
  net: Sequential,
  train: Dataset,
  options: FitOptions & { loss?: ScoredLoss },
): AsyncGenerator<ScoredEpoch, void, void>
export function fit(net: Sequential, train: Dataset, options: FitOptions): AsyncGenerator<Epoch, void, void>
export function fit(net: Sequential, train: Dataset, options: FitOptions): AsyncGenerator<Epoch, void, void> {
  return epochsOf(expectNetwork(net), expectImages('train', train), checkFit(options))
}

async function* epochsOf(net: Sequential, images: Dataset, settings: FitSettings) {
  const { epochs, batchSize, validation, test, loss, signal, callbacks } = settings
  let release = net.occupy()
  const attended = attend(callbacks, { net, epochs })
  const clock = checkpointClock(settings.checkpoint, batchSize)
  try {
    signal?.throwIfAborted()
    const engine = await net.engine(images.imageShape)
    for (const others of [validation, test]) {
      if (typeof others !== 'object') continue
      await callAddonAsync(() => engine.check(others.native, numbersOf(others), loss.settings))
    }
    const training = await begin(net, engine, images, settings, attended)
    noteBytes(engine)
    if (loss.kind !== 'meanSquaredError') suspectEnd(net.toJSON())
    let before = 0
    await attended.begin(Math.ceil(training.train.length / batchSize))
    while (training.epoch <= epochs && !attended.isStopped) {
      const { trainSeconds, ...figures } = await trainNext(training, clock)
      const evaluate = (images: Dataset) => evaluateOn(images, training, clock)
      const { evalSeconds, ...evaluated } = await evaluateAfterEpoch(training.validation, test, evaluate)
      const seconds = { trainSeconds, ...(evalSeconds !== undefined && { evalSeconds }) }
      const epoch = await attended.epoch<Epoch>({ ...figures, ...evaluated, ...seconds })
      training.epoch++
      if (loss.kind === 'softmaxCrossEntropy') suspectLoss(outputsOf(net), before, epoch.loss)
      before = epoch.loss
      Object.assign(training, { sums: noSums, seconds: 0, drawn: training.draws.state() })
      if (clock.isDueAfter(epoch.epoch)) await save(training, clock)
      // Between two epochs the network is free, for parameters to be loaded or a step by hand.
      release()
      release = () => {}
      yield epoch
      release = net.occupy()
    }
  } catch (error) {
    attended.fail()
    throw error
  } finally {
    clock.stop()
    release()
    await attended.end()
  }
}

function outputsOf(net: Sequential): number {
  const [, ...shape] = net.layers.at(-1)?.outputShape ?? []
  return shape.reduce((product, size) => product * size, 1)
}

/** A training underway. */
interface Training {
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
  /** When `onProgress` was told the last time. */
  told: number
}

async function begin(
  net: Sequential,
  engine: Engine,
  images: Dataset,
  settings: FitSettings,
  attended: Attended,
): Promise<Training> {
  const { epochs, batchSize, shuffle, seed, checkpoint } = settings
  const { id, kind } = checkOptimizer(settings.optimizer)
  const isKept = checkpoint.path !== undefined || checkpoint.resume !== undefined
  const validation = shareOf(settings.validation) ?? null
  const mark = isKept ? await markOf(images, { validation, batchSize, shuffle, optimizer: kind }) : undefined
  const divided = (splitSeed: number) => ({ splitSeed, ...divide(images, settings.validation, splitSeed) })
  const training = { net, engine, settings, attended, mark, told: performance.now() }
  if (checkpoint.resume === undefined || mark === undefined) {
    const parts = divided(seed ?? net.seed)
    const totalSteps = stepsOf(engine, id) + epochs * Math.ceil(parts.train.length / batchSize)
    const drawing = seed === undefined ? net.draws : draws(seed)
    const place = { epoch: 1, sums: noSums, seconds: 0, drawn: drawing.state() }
    return { ...training, ...parts, ...place, totalSteps, draws: drawing }
  }
  const resumed = await resumeRun(checkpoint.resume, net.describeForFile(), mark)
  const parts = divided(resumed.splitSeed)
  attended.restore(resumed.callbacks)
  await callAddonAsync(() => engine.restoreRun(resumed.saved, id))
  setSteps(engine, id, resumed.steps)
  const drawing = drawsFrom(resumed.draws)
  net.goOnFrom(resumed.seed, seed === undefined ? drawing : net.draws)
  const { epoch, sums, seconds, totalSteps } = resumed
  return { ...training, ...parts, epoch, sums, seconds, drawn: resumed.draws, totalSteps, draws: drawing }
}

/** Trains what is left of the next epoch, or as much of it as callbacks want. */
async function trainNext(training: Training, clock: CheckpointClock): Promise<Epoch> {
  const { train, settings, attended, draws, epoch, sums: from } = training
  const { batchSize, shuffle, augment, loss, signal } = settings
  const order = shuffle ? toNumbers(train, await draws.nextOrder(train.length, 0)) : numbersOf(train)
  const augmenting = augment && JSON.stringify({ augmentations: augment, ...draws.nextSeed() })
  const stepsOfEpoch = Math.ceil(train.length / batchSize)
  const { settings: optimizer, id, learningRate } = checkOptimizer(settings.optimizer)
  const made = stepsOf(training.engine, id) - Math.ceil(from.count / batchSize)
  const schedule = schedules.ratesOf(learningRate, { made, count: stepsOfEpoch, total: training.totalSteps })
  const rates = () => attended.scaled(schedule, stepsOfEpoch)
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
      if (signal?.aborted || clock.isDue(sums.count)) await save(training, clock)
      return attended.isStopped
    },
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

/** Writes the checkpoint, if there is to be one: where the training is in its epoch, and what that was drawn by. */
async function save(training: Training, clock: CheckpointClock): Promise<void> {
  const { net, engine, settings, attended, mark, epoch, sums, seconds, totalSteps, drawn, splitSeed } = training
  const { path } = settings.checkpoint
  if (path === undefined || mark === undefined) return
  const steps = stepsOf(engine, checkOptimizer(settings.optimizer).id)
  const callbacks = attended.state()
  const place = { epoch, sums, seconds, steps, totalSteps, draws: drawn, seed: net.seed, splitSeed, callbacks }
  await writeRun(path, engine, net.describeForFile(), mark, place)
  clock.written()
}

/** Evaluates images after an epoch; where the training is ended meanwhile, the checkpoint has the end of the epoch. */
function evaluateOn(images: Dataset, training: Training, clock: CheckpointClock): Promise<Evaluation> {
  const { net, settings } = training
  return evaluateWith(net, images, settings, true).catch(async (error) => {
    if (settings.signal?.aborted) await save(training, clock)
    throw error
  })
}

/** A training that diverged says in which epoch. */
function inEpoch(epoch: number, error: unknown): unknown {
  if (!(error instanceof CandlewickError) || error.code !== 'DIVERGED') return error
  const message = error.message.charAt(0).toLowerCase() + error.message.slice(1)
  return new CandlewickError('DIVERGED', `The training diverged in epoch ${epoch}: ${message}`, { cause: error })
}

type FitSettings = ReturnType<typeof checkFit>

function checkFit(options: FitOptions) {
  const given = expectOptions<FitOptions>('fit', options, {
    epochs: true,
    batchSize: true,
    optimizer: true,
    loss: true,
    validation: true,
    test: true,
    metrics: true,
    shuffle: true,
    augment: true,
    seed: true,
    signal: true,
    checkpoint: true,
    checkpointEvery: true,
    resume: true,
    onProgress: true,
    callbacks: true,
    onStep: true,
    onEpoch: true,
    onEnd: true,
  })
  checkOptimizer(given.optimizer)
  const { test, shuffle, seed, onProgress } = given
  const [loss, validation] = [lossForEngine(given.loss), checkValidation(given.validation)]
  const metrics = checkMetrics(given.metrics, loss)
  if (metrics !== undefined && validation === undefined && test === undefined)
    throw unexpected('validation', 'a Dataset or a share, or one for test, which metrics are counted of,', validation)
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw unexpected('onProgress', 'a function', onProgress)
  return {
    epochs: expectInteger('epochs', given.epochs, 1),
    batchSize: expectInteger('batchSize', given.batchSize, 1),
    // As it is: a learning rate that is set during the training is that of the next epoch.
    optimizer: given.optimizer as Optimizer,
    loss,
    validation,
    metrics,
    test: test === undefined ? undefined : expectImages('test', test),
    shuffle: shuffle === undefined ? true : expectBoolean('shuffle', shuffle),
    augment: checkAugment(given.augment),
    seed: seed === undefined ? undefined : expectSeed(seed),
    signal: expectSignal(given.signal),
    checkpoint: checkCheckpoint(given),
    onProgress: onProgress as FitOptions['onProgress'],
    callbacks: checkCallbacks(given),
  }
}
