import { performance } from 'node:perf_hooks'
import { callAddonAsync, type Engine, type MetricsReport, type Progress } from '../addon.js'
import { type Dataset, expectImages } from '../data/dataset.js'
import { inOrder } from '../data/order.js'
import { expectBoolean, expectInteger, expectOptions, expectSignal, unexpected } from '../expect.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import { type EpochSeeds, epochSeeds, expectSeed, shuffler } from '../random.js'
import { abortable, progressInterval } from './abortable.js'
import checkAugment, { type Augmentation } from './augmentations.js'
import checkCallbacks, { type CallbackOptions } from './callbacks.js'
import { evaluateWith } from './evaluate.js'
import lossForEngine, { type Loss, type ScoredLoss } from './losses.js'
import checkOptimizer, { type Optimizer } from './optimizers.js'
import { attend } from './run.js'
import schedules from './schedules.js'
import { countSteps, stepsOf } from './steps.js'
import { stepwise, type Trained } from './stepwise.js'

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
}

export interface FitOptions extends CallbackOptions {
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

async function* epochsOf(net: Sequential, train: Dataset, settings: ReturnType<typeof checkFit>) {
  const { epochs, batchSize, optimizer, loss, test, shuffle, augment, seed, signal, onProgress, callbacks } = settings
  const stepsOfEpoch = Math.ceil(train.length / batchSize)
  const release = net.occupy()
  const attended = attend(callbacks, { net, epochs, stepsPerEpoch: stepsOfEpoch })
  try {
    signal?.throwIfAborted()
    const engine = await net.engine(train.imageShape)
    if (test) await callAddonAsync(() => engine.check(test.native, test.start, test.start + test.length, loss.settings))
    const nextOrder = shuffle ? (seed === undefined ? net.shuffler : shuffler(seed)) : inOrder
    const nextSeed = seed === undefined ? net.epochSeeds : epochSeeds(seed)
    const total = stepsOf(engine, optimizer.id) + epochs * stepsOfEpoch
    let told = performance.now()
    await attended.begin()
    for (let epoch = 1; epoch <= epochs && !attended.isStopped; epoch++) {
      const order = await nextOrder(train.length, train.start)
      const report = (images: number): unknown => {
        told = performance.now()
        return onProgress?.({ epoch, images, total: train.length })
      }
      const { settings, id, learningRate } = optimizer
      const augmenting = augment && augmentEpoch(augment, nextSeed)
      const trainOn = async (part: Uint32Array, done: number): Promise<Trained> => {
        const count = Math.ceil(part.length / batchSize)
        const schedule = schedules.ratesOf(learningRate, { made: stepsOf(engine, id), count, total })
        const { rates, last } = attended.scaled(schedule, count)
        const work = (progress: Progress) => {
          const told = { settings, id, ...rates }
          const training = engine.train(train.native, part, batchSize, loss.settings, told, progress, augmenting)
          return counted(training, engine, id, () => Math.ceil(progress.images / batchSize))
        }
        return { ...(await abortable(signal, (images) => report(done + images), work)), learningRate: last }
      }
      const afterStep = async ({ loss, learningRate }: Trained, images: number): Promise<boolean> => {
        const step = (epoch - 1) * stepsOfEpoch + Math.ceil(images / batchSize)
        await attended.step({ epoch, step, images, total: train.length, loss, learningRate })
        if (performance.now() - told >= progressInterval && images < train.length) await report(images)
        return attended.isStopped
      }
      const start = performance.now()
      const trained = await (attended.byStep ? stepwise(order, batchSize, trainOn, afterStep) : trainOn(order, 0))
      const trainSeconds = secondsSince(start)
      // An epoch of a few milliseconds ends before its timer strikes.
      if (performance.now() - told >= progressInterval && !signal?.aborted) await report(trained.count)
      const { correct, answers } = trained
      const scored = answers > 0 && { trainAcc: correct / answers }
      const figures = { epoch, loss: trained.loss, ...scored, learningRate: trained.learningRate }
      if (!test) {
        yield await attended.epoch({ ...figures, trainSeconds })
        continue
      }
      const evalStart = performance.now()
      const { loss: testLoss, accuracy } = await evaluateWith(net, test, loss, signal)
      const tested = { testLoss, ...(accuracy !== undefined && { testAcc: accuracy }) }
      yield await attended.epoch({ ...figures, ...tested, trainSeconds, evalSeconds: secondsSince(evalStart) })
    }
  } catch (error) {
    attended.fail()
    throw error
  } finally {
    release()
    await attended.end()
  }
}

/** What the engine is told of the augmentation of the next epoch, as JSON. */
function augmentEpoch(augmentations: readonly Augmentation[], nextSeed: EpochSeeds): string {
  return JSON.stringify({ augmentations, ...nextSeed() })
}

/** A training whose steps are counted, also where it ends early. */
async function counted(
  training: Promise<MetricsReport>,
  engine: Engine,
  id: number,
  steps: () => number,
): Promise<MetricsReport> {
  try {
    return await training
  } finally {
    countSteps(engine, id, steps())
  }
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000
}

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
    onProgress: true,
    callbacks: true,
    onStep: true,
    onEpoch: true,
    onEnd: true,
  })
  const { test, shuffle, seed, onProgress } = given
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw unexpected('onProgress', 'a function', onProgress)
  return {
    epochs: expectInteger('epochs', given.epochs, 1),
    batchSize: expectInteger('batchSize', given.batchSize, 1),
    optimizer: checkOptimizer(given.optimizer),
    loss: lossForEngine(given.loss),
    test: test === undefined ? undefined : expectImages('test', test),
    shuffle: shuffle === undefined ? true : expectBoolean('shuffle', shuffle),
    augment: checkAugment(given.augment),
    seed: seed === undefined ? undefined : expectSeed(seed),
    signal: expectSignal(given.signal),
    onProgress: onProgress as FitOptions['onProgress'],
    callbacks: checkCallbacks(given),
  }
}
