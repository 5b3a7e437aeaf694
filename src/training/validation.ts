/** What a training is validated by: images of their own, or a share that is split off those to train on. */

import { type Dataset, expectImages } from '../data/dataset.js'
import { unexpected } from '../expect.js'

/** A dataset, or the share of the training images that is kept out of the training. */
export type Validation = Dataset | number

export function checkValidation(value: unknown): Validation | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'number') return expectImages('validation', value)
  if (value > 0 && value < 1) return value
  throw unexpected('validation', 'a Dataset or a share above 0 and below 1', value)
}

/** The share that is split off. */
export function shareOf(validation: Validation | undefined): number | undefined {
  return typeof validation === 'number' ? validation : undefined
}

/**
 * The images to train on, and those to validate by. What is split off follows from the seed; where images have labels, it has its
 * share of each class. The images to train on are in random order, without `shuffle` in that of the dataset.
 */
export function divide(
  images: Dataset,
  validation: Validation | undefined,
  seed: number,
  shuffle: boolean,
): { train: Dataset; validation: Dataset | undefined } {
  if (typeof validation !== 'number') return { train: images, validation }
  const stratify = images.native.hasLabels
  const [train, kept] = images.split([1 - validation, validation], { stratify, seed })
  if (!shuffle) train.list?.sort() // it is this training's own
  return { train, validation: kept }
}
