import { performance } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'
import { type MetricsReport, Progress } from '../index.js'
import { type Dataset, expectDataset } from './data/dataset.js'
import { CandlewickError, nativeAsync } from './errors.js'
import { expectBoolean, expectInteger, expectOptions, expectSignal, unexpected } from './expect.js'
import { fed } from './feed.js'
import { checkImages, checkLabels, type Images } from './images.js'
import { expectNetwork, type Sequential } from './network.js'
import { handOver, type Optimizer } from './optimizers.js'
import { expectSeed, inOrder, shuffler } from './shuffle.js'

/** One epoch's figures. */
export interface Epoch {
  /** Counts from 1. */
  epoch: number
  /** Mean training loss of an image, in nats, over the epoch, each batch before its step. */
  loss: number
  /** Share of training images answered correctly over the epoch. */
  trainAcc: number
  /** Share of test images answered correctly after the epoch; only with `test`. */
  testAcc?: number
  /** Seconds of training. */
  trainSeconds: number
  /** Seconds of evaluation; only with `test`. */
  evalSeconds?: number
}

/** How far an epoch is. */
export interface EpochProgress {
  epoch: number
  /** Training images done, and in all. */
  images: number
  total: number
}

export interface FitOptions {
  epochs: number
  /** Images of a step; the last step of an epoch may have fewer. */
  batchSize: number
  optimizer: Optimizer
  /** Evaluated after each epoch. */
  test?: Dataset
  /** Whether each epoch takes the images in a new random order; true by default. */
  shuffle?: boolean
  /** 0 to 2³² - 1: decides the orders of this fit. By default they go on from the network's seed. */
  seed?: number
  /** Stops the training within a batch; the loop then throws the signal's reason. */
  signal?: AbortSignal
  /** Called about ten times a second; what it throws, or what its promise is rejected with, ends the training. */
  onProgress?: (progress: EpochProgress) => void
}

export interface Evaluation {
  /** Mean loss of an image, in nats. */
  loss: number
  /** Share of images answered correctly. */
  accuracy: number
  correct: number
  count: number
}

const progressInterval = 100 // ms

/**
 * Trains for some epochs and yields the figures of each: training takes place within `for await (const epoch of fit(...))`, off
 * the event loop, but for the order of the images, which takes it some milliseconds for a million. Arguments are checked at the
 * call. The network is busy until the loop has ended; who takes epochs by hand
 * and stops early must call `return()`, as `for await` does.
 */
export function fit(net: Sequential, train: Dataset, options: FitOptions): AsyncGenerator<Epoch, void, void> {
  return epochsOf(expectNetwork(net), expectImages('train', train), checkFit(options))
}

async function* epochsOf(net: Sequential, train: Dataset, settings: ReturnType<typeof checkFit>) {
  const { epochs, batchSize, optimizer, test, shuffle, seed, signal, onProgress } = settings
  const release = net.occupy()
  try {
    signal?.throwIfAborted()
    const engine = await net.engine(train.imageShape)
    if (test) await nativeAsync(() => engine.check(test.native, test.start, test.start + test.length))
    const nextOrder = shuffle ? (seed === undefined ? net.shuffler : shuffler(seed)) : inOrder
    let told = performance.now()
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const order = await nextOrder(train.length, train.start)
      const report = (images: number): unknown => {
        told = performance.now()
        return onProgress?.({ epoch, images, total: train.length })
      }
      const start = performance.now()
      const trained = await abortable(signal, report, (p) =>
        engine.train(train.native, order, batchSize, ...optimizer, p),
      )
      const trainSeconds = secondsSince(start)
      // An epoch of a few milliseconds ends before its timer strikes.
      if (performance.now() - told >= progressInterval && !signal?.aborted) await report(train.length)
      const figures = { epoch, loss: trained.loss, trainAcc: trained.correct / trained.count }
      if (!test) {
        yield { ...figures, trainSeconds }
        continue
      }
      const evalStart = performance.now()
      const { accuracy: testAcc } = await evaluate(net, test, signal ? { signal } : {})
      yield { ...figures, testAcc, trainSeconds, evalSeconds: secondsSince(evalStart) }
    }
  } finally {
    release()
  }
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000
}

/**
 * One optimiser step on a batch of your own; the loss and the number of correct answers are those before the step. Labels are
 * checked while the event loop waits, some milliseconds for a million in a typed array; images are copied piece by piece.
 */
export async function step(
  net: Sequential,
  images: Images,
  labels: ArrayLike<number>,
  optimizer: Optimizer,
): Promise<{ loss: number; correct: number }> {
  expectNetwork(net)
  const checked = checkImages(images)
  const checkedLabels = checkLabels(labels, checked.shape[0])
  const settings = handOver(optimizer)
  net.requireIdle()
  const engine = await net.engine(checked.shape.slice(1))
  const { loss, correct } = await fed(checked, (feed) => engine.step(feed, checkedLabels, ...settings))
  return { loss, correct }
}

/** Loss and accuracy on a dataset; changes nothing. */
export async function evaluate(
  net: Sequential,
  dataset: Dataset,
  options: { signal?: AbortSignal } = {},
): Promise<Evaluation> {
  expectNetwork(net)
  const { native, start, length, imageShape } = expectImages('dataset', dataset)
  const { signal: given } = expectOptions<typeof options>('evaluate', options, { signal: true })
  const signal = expectSignal(given)
  const engine = await net.engine(imageShape)
  const report = await abortable(signal, undefined, (p) => engine.evaluate(native, start, start + length, p))
  return { loss: report.loss, accuracy: report.correct / report.count, correct: report.correct, count: report.count }
}

/** Runs native work that an AbortSignal can stop, and says about ten times a second how far it is. */
async function abortable(
  signal: AbortSignal | undefined,
  report: ((images: number) => unknown) | undefined,
  work: (progress: Progress) => Promise<MetricsReport>,
): Promise<MetricsReport> {
  signal?.throwIfAborted()
  const progress = new Progress()
  let timer: NodeJS.Timeout | undefined
  const cancel = () => {
    progress.cancel()
    clearInterval(timer) // who has ended it is told no more
  }
  signal?.addEventListener('abort', cancel, { once: true })
  let failure: { error: unknown } | undefined
  const tell = async () => {
    try {
      await report?.(progress.images)
    } catch (error) {
      failure ??= { error }
      cancel()
    }
  }
  if (report) timer = setInterval(tell, progressInterval)
  try {
    const done = await nativeAsync(() => work(progress))
    if (!failure) return done
  } catch (error) {
    signal?.throwIfAborted()
    failure ??= { error }
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', cancel)
  }
  throw failure.error // even if the work was done before it could be cancelled
}

function checkFit(options: FitOptions) {
  const given = expectOptions<FitOptions>('fit', options, {
    epochs: true,
    batchSize: true,
    optimizer: true,
    test: true,
    shuffle: true,
    seed: true,
    signal: true,
    onProgress: true,
  })
  const { test, shuffle, seed, onProgress } = given
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw unexpected('onProgress', 'a function', onProgress)
  return {
    epochs: expectInteger('epochs', given.epochs, 1),
    batchSize: expectInteger('batchSize', given.batchSize, 1),
    optimizer: handOver(given.optimizer),
    test: test === undefined ? undefined : expectImages('test', test),
    shuffle: shuffle === undefined ? true : expectBoolean('shuffle', shuffle),
    seed: seed === undefined ? undefined : expectSeed(seed),
    signal: expectSignal(given.signal),
    onProgress: onProgress as FitOptions['onProgress'],
  }
}

/** A dataset with images in it. */
function expectImages(name: string, value: unknown): Dataset {
  const dataset = expectDataset(value, name)
  if (dataset.length === 0) throw new CandlewickError('INVALID_ARGUMENT', `The ${name} dataset has no images.`)
  return dataset
}
