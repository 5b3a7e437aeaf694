/** A dataset's images batch by batch. */

import type { NativeDataset } from '../addon.js'
import { expectInteger, reading, unexpected } from '../expect.js'
import { allocate } from '../memory.js'
import { copyImages, copyLabels, copyTargets } from './copies.js'
import type { Images } from './images.js'
import type { Labels } from './labels.js'
import { numbersOf, type Places, toNumbers } from './places.js'
import type { Targets } from './targets.js'

/** A batch of a dataset. */
export interface Batch<I extends Images = Images> {
  /** Copies, which are the caller's. */
  images: I
  /** Empty where the dataset has targets alone. */
  labels: Labels
  /** Where the dataset has any. */
  targets?: Targets
}

/** Images in native memory, and which of them. */
export type Loaded = Places & { readonly native: NativeDataset }

/** Copies batch by batch, of the images in their order or of those of these numbers. */
export function* batchesOf(loaded: Loaded, batchSize: number, order?: Uint32Array): Generator<Batch, void, void> {
  const { native } = loaded
  const count = order?.length ?? loaded.length
  for (let start = 0; start < count; start += batchSize) {
    const end = Math.min(start + batchSize, count)
    const indices = order?.subarray(start, end) ?? numbersOf(loaded, start, end)
    const labels = native.hasLabels ? copyLabels(native, indices) : new Uint8Array(0)
    const images = copyImages(native, indices)
    yield { images, labels, ...(native.targetLength > 0 && { targets: copyTargets(native, indices) }) }
  }
}

/** The numbers in native memory of the images that `order` names. */
export function checkOrder(loaded: Loaded, order: unknown): Uint32Array {
  return reading('order', () => {
    const { length } = Object(order) as ArrayLike<unknown>
    if (typeof order !== 'object' || !Number.isInteger(length) || length < 0) {
      throw unexpected('order', 'an array of image numbers', order)
    }
    const indices = allocate(`an order of ${length} images`, Uint32Array, length)
    for (let i = 0; i < length; i++) {
      const image = (order as ArrayLike<unknown>)[i]
      indices[i] = expectInteger(`order[${i}]`, image, 0, loaded.length - 1)
    }
    return toNumbers(loaded, indices)
  })
}
