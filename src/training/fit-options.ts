/** What `fit` is told, and what it tells. */

import { type Dataset, expectImages } from '../data/dataset.js'
import { expectBoolean, expectInteger, expectOptions, expectSignal, unexpected } from '../expect.js'
import { expectSeed } from '../random.js'
import checkAugment, { type Augmentation } from './augmentations.js'
import checkCallbacks, { type CallbackOptions } from './callbacks.js'
import { type CheckpointEvery, checkCheckpoint } from './checkpoint.js'
import lossForEngine, { type Loss } from './losses.js'
import { checkMetrics, type Metrics, type MetricsOptions } from './metrics.js'
import { checkNormalize, type Normalize } from './normalize.js'
import checkOptimizer, { type Optimizer } from './optimizers.js'
import { checkValidation, type Validation } from './validation.js'

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
  /** Counts from 1. */
  epoch: number
  /** Training images that are done. */
  images: number
  /** Training images in all. */
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

/** Options of {@link fit}. */
export interface FitOptions extends CallbackOptions {
  /** Times through the training images. */
  epochs: number
  /** Images of a step; the last step of an epoch may have fewer. */
  batchSize: number
  /** What moves the parameters; its state goes on with the same object. */
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
   * `'mean-deviation'`: a network that was not trained yet normalizes its images, from its first step on, by mean and deviation of the
   * images that it trains on here, channel by channel; a deviation of 0 counts as 1. It is a part of the network from then on, and one
   * that has a normalization keeps it.
   */
  normalize?: Normalize
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

/** What `fit` was told, checked, as it is now. */
export type FitSettings = ReturnType<typeof checkFit>

export function checkFit(options: FitOptions) {
  const given = expectOptions<FitOptions>('fit', options, {
    epochs: true,
    batchSize: true,
    optimizer: true,
    loss: true,
    validation: true,
    test: true,
    metrics: true,
    shuffle: true,
    normalize: true,
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
    normalize: checkNormalize(given.normalize),
    augment: checkAugment(given.augment),
    seed: seed === undefined ? undefined : expectSeed(seed),
    signal: expectSignal(given.signal),
    checkpoint: checkCheckpoint(given),
    onProgress: onProgress as FitOptions['onProgress'],
    callbacks: checkCallbacks(given),
  }
}
