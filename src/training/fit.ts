import { performance } from 'node:perf_hooks'
import { callAddonAsync, type Engine, type Sums } from '../addon.js'
import { type Dataset, expectImages } from '../data/dataset.js'
import { inOrder } from '../data/order.js'
import { CandlewickError } from '../errors.js'
import { expectBoolean, expectInteger, expectOptions, expectSignal, unexpected } from '../expect.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import { type Draws, type DrawsState, draws, drawsFrom, expectSeed } from '../random.js'
import { progressInterval } from './abortable.js'
import checkAugment, { type Augmentation } from './augmentations.js'
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
import { evaluateWith } from './evaluate.js'
import lossForEngine, { type Loss, type ScoredLoss } from './losses.js'
import checkOptimizer, { type Optimizer } from './optimizers.js'
import schedules from './schedules.js'
import { setSteps, stepsOf } from './steps.js'
import { accuracyOf, meanLoss, noSums } from './sums.js'
import { trainEpoch } from './train-epoch.js'

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
  /** Mean loss of a test image after the epoch; only with `test`. */
  testLoss?: number
  /** As `trainAcc`, of the test images after the epoch; only with `test`. */
  testAcc?: number
  /** That of the epoch's last step. */
  learningRate: number
  /** Seconds of training. */
  trainSeconds: number
  /** Seconds of evaluation; only with `test`. */
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
  /** That of the next step. */
  learningRate: number
  /** Over the epoch, as far as it was trained since this `fit` began. */
  imagesPerSecond: number
}

export interface FitOptions {
  epochs: number
  /** Images of a step; the last step of an epoch may have fewer. */
  batchSize: number
  optimizer: Optimizer
  /** What is made small, here and in the evaluation of `test`; {@link softmaxCrossEntropy} by default. */
  loss?: Loss
  /** Evaluated after each epoch. */
  test?: Dataset
  /** Whether each epoch takes the images in a new random order; true by default. */
  shuffle?: boolean
  /**
   * Random changes to the training images, one after the other, drawn anew for each epoch: `[randomFlip(), randomShift(1)]`. None by
   * default. An epoch's images are then made beside those of the dataset, for as long as it trains.
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

async function* epochsOf(net: Sequential, train: Dataset, settings: FitSettings) {
  const { epochs, test, loss, signal } = settings
  let release = net.occupy()
  const clock = checkpointClock(settings.checkpoint, settings.batchSize)
  try {
    signal?.throwIfAborted()
    const engine = await net.engine(train.imageShape)
    if (test) await callAddonAsync(() => engine.check(test.native, test.start, test.start + test.length, loss.settings))
    const run = await begin(net, engine, train, settings)
    while (run.epoch <= epochs) {
      const figures = await trainNext(run, clock)
      const tested = test ? await testAfter(run, clock, test) : {}
      const epoch: Epoch = { ...figures, ...tested }
      run.history.push(epoch)
      run.epoch++
      Object.assign(run, { sums: noSums, seconds: 0, drawn: run.draws.state() })
      if (clock.isDueAfter(epoch.epoch)) await save(run, clock)
      // Between two epochs the network is free, for parameters to be loaded or a step by hand.
      release()
      release = () => {}
      yield epoch
      release = net.occupy()
    }
  } finally {
    clock.stop()
    release()
  }
}

/** A training underway. */
interface Run {
  readonly net: Sequential
  readonly engine: Engine
  readonly train: Dataset
  readonly settings: FitSettings
  readonly draws: Draws
  /** The steps at the end of the last epoch. */
  readonly totalSteps: number
  readonly history: Epoch[]
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
}

async function begin(net: Sequential, engine: Engine, train: Dataset, settings: FitSettings): Promise<Run> {
  const { epochs, batchSize, shuffle, seed, checkpoint } = settings
  const { id, kind } = checkOptimizer(settings.optimizer)
  const isKept = checkpoint.path !== undefined || checkpoint.resume !== undefined
  const mark = isKept ? await markOf(train, { batchSize, shuffle, optimizer: kind }) : undefined
  const run = { net, engine, train, settings, mark }
  if (checkpoint.resume === undefined || mark === undefined) {
    const totalSteps = stepsOf(engine, id) + epochs * Math.ceil(train.length / batchSize)
    const drawing = seed === undefined ? net.draws : draws(seed)
    const place = { history: [], epoch: 1, sums: noSums, seconds: 0, drawn: drawing.state() }
    return { ...run, ...place, totalSteps, draws: drawing }
  }
  const resumed = await resumeRun(checkpoint.resume, net.describeForFile(), mark)
  await callAddonAsync(() => engine.restoreRun(resumed.saved, id))
  setSteps(engine, id, resumed.steps)
  const drawing = drawsFrom(resumed.draws)
  net.goOnFrom(resumed.seed, seed === undefined ? drawing : net.draws)
  const { epoch, sums, seconds, totalSteps, history } = resumed
  const place = { history: [...history], epoch, sums, seconds, drawn: resumed.draws }
  return { ...run, ...place, totalSteps, draws: drawing }
}

/** Trains what is left of the next epoch. */
async function trainNext(run: Run, clock: CheckpointClock): Promise<Epoch> {
  const { engine, train, settings, draws, epoch, sums: from } = run
  const { batchSize, shuffle, augment, loss, signal, onProgress } = settings
  const order = shuffle ? await draws.nextOrder(train.length, train.start) : inOrder(train.length, train.start)
  const augmenting = augment && JSON.stringify({ augmentations: augment, ...draws.nextSeed() })
  const stepsOfEpoch = Math.ceil(train.length / batchSize)
  const { settings: optimizer, id, learningRate } = checkOptimizer(settings.optimizer)
  const made = stepsOf(engine, id) - Math.ceil(from.count / batchSize)
  const { rates, last } = schedules.ratesOf(learningRate, { made, count: stepsOfEpoch, total: run.totalSteps })
  const [start, before] = [performance.now(), run.seconds]
  const seconds = () => before + (performance.now() - start) / 1000
  let told = performance.now()
  const tell = ({ images, loss }: { images: number; loss: number }): unknown => {
    told = performance.now()
    const imagesPerSecond = (1000 * (images - from.count)) / (told - start)
    const rate = rates.learningRates?.[Math.min(Math.floor(images / batchSize), stepsOfEpoch - 1)] ?? last
    return onProgress?.({ epoch, images, total: train.length, loss, learningRate: rate, imagesPerSecond })
  }
  const plan = { engine, images: train.native, order, batchSize, loss: loss.settings, rates, augment: augmenting }
  const sums = await trainEpoch({ ...plan, optimizer: { settings: optimizer, id } }, from, {
    signal,
    report: tell,
    until: clock.until,
    begin: clock.begin,
    between: async (sums) => {
      Object.assign(run, { sums, seconds: seconds() })
      if (signal?.aborted || clock.isDue(sums.count)) await save(run, clock)
    },
  }).catch((error) => {
    throw inEpoch(epoch, error)
  })
  signal?.throwIfAborted()
  // An epoch of a few milliseconds ends before its timer strikes.
  if (performance.now() - told >= progressInterval) await tell({ images: train.length, loss: meanLoss(sums) })
  const trainAcc = accuracyOf(sums)
  const scored = trainAcc !== undefined && { trainAcc }
  return { epoch, loss: meanLoss(sums), ...scored, learningRate: last, trainSeconds: run.seconds }
}

/** Writes the checkpoint, if there is to be one: where the training is in its epoch, and what that was drawn by. */
async function save(run: Run, clock: CheckpointClock): Promise<void> {
  const { net, engine, settings, mark, epoch, sums, seconds, totalSteps, drawn, history } = run
  const { path } = settings.checkpoint
  if (path === undefined || mark === undefined) return
  const steps = stepsOf(engine, checkOptimizer(settings.optimizer).id)
  const place = { epoch, sums, seconds, steps, totalSteps, draws: drawn, seed: net.seed, history }
  await writeRun(path, engine, net.describeForFile(), mark, place)
  clock.written()
}

async function testAfter(run: Run, clock: CheckpointClock, test: Dataset) {
  const { loss, signal } = run.settings
  const start = performance.now()
  const { loss: testLoss, accuracy } = await evaluateWith(run.net, test, loss, signal, true).catch(async (error) => {
    if (signal?.aborted) await save(run, clock)
    throw error
  })
  const evalSeconds = (performance.now() - start) / 1000
  return { testLoss, ...(accuracy !== undefined && { testAcc: accuracy }), evalSeconds }
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
    test: true,
    shuffle: true,
    augment: true,
    seed: true,
    signal: true,
    checkpoint: true,
    checkpointEvery: true,
    resume: true,
    onProgress: true,
  })
  checkOptimizer(given.optimizer)
  const { test, shuffle, seed, onProgress } = given
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw unexpected('onProgress', 'a function', onProgress)
  return {
    epochs: expectInteger('epochs', given.epochs, 1),
    batchSize: expectInteger('batchSize', given.batchSize, 1),
    // As it is: a learning rate that is set during the training is that of the next epoch.
    optimizer: given.optimizer as Optimizer,
    loss: lossForEngine(given.loss),
    test: test === undefined ? undefined : expectImages('test', test),
    shuffle: shuffle === undefined ? true : expectBoolean('shuffle', shuffle),
    augment: checkAugment(given.augment),
    seed: seed === undefined ? undefined : expectSeed(seed),
    signal: expectSignal(given.signal),
    checkpoint: checkCheckpoint(given),
    onProgress: onProgress as FitOptions['onProgress'],
  }
}
