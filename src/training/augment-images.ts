import { imagesOf } from '../data/copies.js'
import { type Dataset, expectDataset } from '../data/dataset.js'
import type { ByteImages } from '../data/images.js'
import { numbersOf } from '../data/places.js'
import { expectInteger, expectOptions } from '../expect.js'
import { expectSeed, randomSeed } from '../random.js'
import checkAugment, { type Augmentation } from './augmentations.js'

/** Options of {@link augmentImages}. */
export interface AugmentImagesOptions {
  /** 0 to 2³² - 1, as in `fit`; drawn by default. */
  seed?: number
  /** The number of the epoch, counted from 1, which it is by default. */
  epoch?: number
  /** The first image; 0 by default. */
  start?: number
  /** The end (excluded); the length by default. */
  end?: number
}

/**
 * Images as `fit` trains on them in an epoch with this seed: to be looked at, or fed elsewhere. `mixup` mixes with any of the dataset's,
 * also beyond `start` and `end`. They are made while the event loop waits, on all processors.
 */
export function augmentImages(
  dataset: Dataset,
  augment: readonly Augmentation[],
  options: AugmentImagesOptions = {},
): ByteImages {
  const all = expectDataset(dataset)
  const augmentations = checkAugment(augment) ?? []
  const keys = { seed: true, epoch: true, start: true, end: true } as const
  const { start, end, ...given } = expectOptions<AugmentImagesOptions>('augmentImages', options, keys)
  const seed = given.seed === undefined ? randomSeed() : expectSeed(given.seed)
  const epoch = given.epoch === undefined ? 1 : expectInteger('epoch', given.epoch, 1)
  const images = all.slice(start as number | undefined, end as number | undefined) // which checks them
  const [indices, partners] = [numbersOf(images), numbersOf(all)]
  const settings = JSON.stringify({ augmentations, seed, epoch })
  return imagesOf(images.native, indices, (data) => images.native.augmented(indices, settings, partners, data))
}
