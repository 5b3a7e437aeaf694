/** Networks that the command knows, each with how it is trained. */

import { lenet } from '../network/lenet.js'
import { highestLearningRate, modernLeNet, modernLeNetRecipe } from '../network/modern-lenet.js'
import type { Sequential } from '../network/sequential.js'
import { randomFlip, randomShift } from '../training/augmentations.js'
import type { FitOptions } from '../training/fit.js'
import { type ScoredLoss, softmaxCrossEntropy } from '../training/losses.js'
import { adamW, sgd } from '../training/optimizers.js'
import { oneCycle } from '../training/schedules.js'

/** A network, and what `fit` is told for it. */
export interface Preset {
  network(options?: { classes?: number }): Sequential
  epochs: number
  batchSize: number
  /** The highest, where it changes from step to step. */
  learningRate: number
  loss: ScoredLoss
  /** All else, with this learning rate, or with this as the highest. */
  recipe(learningRate: number): Pick<FitOptions, 'optimizer' | 'augment'>
}

export type PresetName = 'lenet' | 'modern'

const { epochs, batchSize, loss } = modernLeNetRecipe()

export const presets: Readonly<Record<PresetName, Preset>> = {
  lenet: {
    network: lenet,
    epochs: 5,
    batchSize: 256,
    learningRate: 0.9,
    loss: softmaxCrossEntropy(),
    recipe: (learningRate) => ({ optimizer: sgd({ learningRate }) }),
  },
  modern: {
    network: modernLeNet,
    epochs,
    batchSize,
    learningRate: highestLearningRate,
    loss,
    recipe(maxLearningRate) {
      const { optimizer, augment } = modernLeNetRecipe({ maxLearningRate })
      return { optimizer, augment }
    },
  },
}

/**
 * How a network is trained on somebody's own pictures, of which there are few: longer, by AdamW, whose rate suits more networks than
 * one, and augmented.
 */
export const ofPictures = {
  epochs: 30,
  batchSize: 32,
  learningRate: 0.003,
  validation: 0.1,
  recipe: (maxLearningRate: number) => ({
    optimizer: adamW({ learningRate: oneCycle({ maxLearningRate }), weightDecay: 0.01, decay: 'weights' }),
    augment: [randomFlip(), randomShift(2)],
  }),
} as const

export const presetNames = Object.keys(presets) as PresetName[]
