import { type MetricsReport, Progress } from '../index.js'
import { Dataset } from './data/dataset.js'
import { CandlewickError, nativeAsync } from './errors.js'
import { expectBoolean, expectInteger, expectOptions, expectSignal, unexpected } from './expect.js'
import { checkImages, checkLabels, type Images } from './images.js'
import { Sequential } from './network.js'
import { checkOptimizer, type Optimizer } from './optimizers.js'
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
  /** Called about ten times a second; what it throws ends the training. */
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
 * Trains for some epochs and yields the figures of each. Training runs off the event loop. The network is busy until the
 * loop has ended; who takes epochs by hand and stops early must call `return()`, as `for await` does.
 */
export async function* fit(net: Sequential, train: Dataset, options: FitOptions): AsyncGenerator<Epoch, void, void> {
  const { epochs, batchSize, optimizer, test, shuffle, signal, onProgress } = checkFit(net, train, options)
  const release = net.occupy()
  try {
    signal?.throwIfAborted()
    const engine = await net.engine(train.imageShape)
    if (test) await nativeAsync(() => engine.check(test.native, test.start, test.start + test.length))
    const nextOrder = shuffle ? (options.seed === undefined ? net.shuffler : shuffler(options.seed)) : inOrder
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const order = await nextOrder(train.length, train.start)
      const settings = { ...optimizer, fresh: net.isFresh(options.optimizer) }
      const report = (images: number) => onProgress?.({ epoch, images, total: train.length })
      const start = performance.now()
      const trained = await abortable(signal, report, (p) => engine.train(train.native, order, batchSize, settings, p))
      const trainSeconds = (performance.now() - start) / 1000
      const trainFigures = { epoch, loss: trained.loss, trainAcc: trained.correct / trained.count }
      if (!test) {
        yield { ...trainFigures, trainSeconds }
        continue
      }
      const evalStart = performance.now()
      const { accuracy: testAcc } = await evaluate(net, test, signal ? { signal } : {})
      yield { ...trainFigures, testAcc, trainSeconds, evalSeconds: (performance.now() - evalStart) / 1000 }
    }
  } finally {
    release()
  }
}

/** One optimiser step on a batch of your own; the loss and the number of correct answers are those before the step. */
export async function step(
  net: Sequential,
  images: Images,
  labels: ArrayLike<number>,
  optimizer: Optimizer,
): Promise<{ loss: number; correct: number }> {
  checkNetwork(net)
  const { data, shape } = checkImages(images)
  const checked = checkLabels(labels, shape[0] as number)
  const checkedOptimizer = checkOptimizer(optimizer)
  net.requireIdle()
  const engine = await net.engine(shape.slice(1))
  const settings = { ...checkedOptimizer, fresh: net.isFresh(optimizer) }
  const { loss, correct } = await nativeAsync(() => engine.step(data, [...shape], checked, settings))
  return { loss, correct }
}

/** Loss and accuracy on a dataset; changes nothing. */
export async function evaluate(
  net: Sequential,
  dataset: Dataset,
  options: { signal?: AbortSignal } = {},
): Promise<Evaluation> {
  checkNetwork(net)
  checkDataset('dataset', dataset)
  expectOptions<typeof options>('evaluate', options, { signal: true })
  const signal = expectSignal(options.signal)
  const engine = await net.engine(dataset.imageShape)
  const { native, start, length } = dataset
  const report = await abortable(signal, undefined, (p) => engine.evaluate(native, start, start + length, p))
  return { loss: report.loss, accuracy: report.correct / report.count, correct: report.correct, count: report.count }
}

/** Runs native work that an AbortSignal can stop, and says about ten times a second how far it is. */
async function abortable(
  signal: AbortSignal | undefined,
  report: ((images: number) => void) | undefined,
  work: (progress: Progress) => Promise<MetricsReport>,
): Promise<MetricsReport> {
  signal?.throwIfAborted()
  const progress = new Progress()
  const cancel = () => progress.cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  let failure: { error: unknown } | undefined
  const tell = () => {
    try {
      report?.(progress.images)
    } catch (error) {
      failure ??= { error }
      cancel()
    }
  }
  const timer = report && setInterval(tell, progressInterval)
  try {
    return await nativeAsync(() => work(progress))
  } catch (error) {
    signal?.throwIfAborted()
    throw failure ? failure.error : error
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', cancel)
  }
}

function checkFit(net: Sequential, train: Dataset, options: FitOptions) {
  checkNetwork(net)
  checkDataset('train', train)
  expectOptions<FitOptions>('fit', options, {
    epochs: true,
    batchSize: true,
    optimizer: true,
    test: true,
    shuffle: true,
    seed: true,
    signal: true,
    onProgress: true,
  })
  const { test, seed, onProgress } = options
  if (test !== undefined) checkDataset('test', test)
  if (seed !== undefined) expectSeed(seed)
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw unexpected('onProgress', 'a function', onProgress)
  return {
    epochs: expectInteger('epochs', options.epochs, 1),
    batchSize: expectInteger('batchSize', options.batchSize, 1),
    optimizer: checkOptimizer(options.optimizer),
    shuffle: expectBoolean('shuffle', options.shuffle ?? true),
    signal: expectSignal(options.signal),
    test,
    onProgress,
  }
}

function checkNetwork(net: Sequential): void {
  if (!(net instanceof Sequential)) throw unexpected('net', 'a Sequential', net)
}

function checkDataset(name: string, dataset: Dataset): void {
  if (!(dataset instanceof Dataset)) throw unexpected(name, 'a Dataset, as from fashionMnist(),', dataset)
  if (dataset.length === 0) throw new CandlewickError('INVALID_ARGUMENT', `The ${name} dataset has no images.`)
}
