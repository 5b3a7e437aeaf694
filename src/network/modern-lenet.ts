import { type Checks, expectFloat32, expectInteger, expectSettings } from '../expect.js'
import { type RandomFlip, randomFlip } from '../training/augmentations.js'
import { type SoftmaxCrossEntropy, softmaxCrossEntropy } from '../training/losses.js'
import { type Sgd, sgd } from '../training/optimizers.js'
import { oneCycle } from '../training/schedules.js'
import { activation, batchNorm, conv2d, dense, globalAvgPool2d, maxPool2d } from './layers.js'
import { Sequential } from './sequential.js'

const classSettings: Checks<{ classes: number }> = { classes: (value = 10) => expectInteger('classes', value, 1) }

/**
 * What LeNet would be today, for ten classes or others: 3x3 convolutions in pairs of 16, 32 and 64 channels, each with batch normalisation and
 * ReLU, max pooling between the pairs, the mean of each channel, and one dense layer. 72,666 parameters for images of one channel.
 */
export function modernLeNet(options: { classes?: number } = {}): Sequential {
  const { classes } = expectSettings('modernLeNet', options, classSettings)
  const conv = (channels: number) => [
    conv2d({ channels, kernelSize: 3, padding: 'same', useBias: false }),
    batchNorm(),
    activation('relu'),
  ]
  const pair = (channels: number) => [...conv(channels), ...conv(channels)]
  const pool = maxPool2d({ poolSize: 2 })
  return new Sequential([
    ...pair(16),
    pool,
    ...pair(32),
    pool,
    ...pair(64),
    globalAvgPool2d(),
    dense({ units: classes }),
  ])
}

/** Options of `fit`, as {@link modernLeNetRecipe} makes them. */
export interface ModernLeNetRecipe {
  /** Times through the training images. */
  epochs: number
  /** Images of a step. */
  batchSize: number
  /** With its learning rate's one cycle. */
  optimizer: Sgd
  /** With smoothed labels. */
  loss: SoftmaxCrossEntropy
  /** What is done to training images. */
  augment: RandomFlip[]
}

/** The highest learning rate of the recipe. */
export const highestLearningRate = 0.3

const recipeSettings: Checks<{ maxLearningRate: number }> = {
  maxLearningRate: (value = highestLearningRate) => expectFloat32('maxLearningRate', value, 0),
}

/**
 * Options of `fit` for {@link modernLeNet} on Fashion-MNIST, chosen on 5,000 of its training images; a new optimiser with each call, as
 * for a new training. Its learning rate is one cycle, whose highest may be another than 0.3.
 */
export function modernLeNetRecipe(options: { maxLearningRate?: number } = {}): ModernLeNetRecipe {
  const { maxLearningRate } = expectSettings('modernLeNetRecipe', options, recipeSettings)
  return {
    epochs: 9,
    batchSize: 128,
    optimizer: sgd({
      learningRate: oneCycle({ maxLearningRate }),
      momentum: 0.9,
      nesterov: true,
      weightDecay: 5e-4,
      decay: 'weights',
    }),
    loss: softmaxCrossEntropy({ labelSmoothing: 0.1 }),
    augment: [randomFlip()],
  }
}
