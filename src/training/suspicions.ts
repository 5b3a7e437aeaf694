/** What is silently useless in a training is said: see warnings.ts. */

import type { Engine } from '../addon.js'
import type { Dataset } from '../data/dataset.js'
import { type CheckedImages, checkImages } from '../data/images.js'
import type { Layer } from '../network/layers.js'
import type { Normalization } from '../network/normalization.js'
import { warnOnce } from '../warnings.js'

const mostSampled = 4096 // values, which take microseconds
const farAway = 10 // times what the network was trained on

/** The largest magnitude of the values that each network was trained on, before it normalized them. */
const trainedOn = new WeakMap<Engine, number>()

/** Remembers that a network trains on a dataset, whose bytes count as 0 to 1, or looks at what it begins with. */
export function noteDataset(engine: Engine, dataset: Dataset, by: Normalization | undefined): void {
  if (dataset.native.ofFloats) noteImages(engine, checkImages(dataset.images(0, sampledOf(dataset))), by)
  else trainedOn.set(engine, Math.max(trainedOn.get(engine) ?? 0, 1))
}

/** Images that hold as many values as are looked at. */
function sampledOf({ imageShape, length }: Dataset): number {
  const values = imageShape.reduce((product, size) => product * size, 1)
  return Math.min(length, Math.ceil(mostSampled / values))
}

/** Looks at images that a network is to train on, and remembers their range. */
export function noteImages(engine: Engine, images: CheckedImages, by: Normalization | undefined): void {
  const largest = magnitude(images)
  if (looksLikeBytes(images, largest, by)) warnOfBytes(largest)
  trainedOn.set(engine, Math.max(trainedOn.get(engine) ?? 0, largest))
}

/** Looks at images that a network is to answer: whether they are of the kind that it was trained on, as far as that is known. */
export function suspectImages(engine: Engine, images: CheckedImages, by: Normalization | undefined): void {
  if (!(images.data instanceof Float32Array)) return
  const [largest, known] = [magnitude(images), trainedOn.get(engine)]
  if (known !== undefined && largest > farAway * Math.max(known, 1)) {
    warnOnce(
      'CANDLEWICK_IMAGE_RANGE',
      `The images to predict hold values of ${largest}, but those that the network was trained on ${known} at most: prepare ` +
        'them alike. Bytes (a Uint8Array) count as 0 to 1, float32 as it is.',
    )
  } else if (known === undefined && looksLikeBytes(images, largest, by)) warnOfBytes(largest)
}

function warnOfBytes(largest: number): void {
  warnOnce(
    'CANDLEWICK_IMAGE_RANGE',
    `The images are float32 with whole numbers up to ${largest}, which count as they are; give them as bytes (a Uint8Array), ` +
      'which count as 0 to 1, or divide them by 255.',
  )
}

function magnitude(images: CheckedImages): number {
  if (images.data instanceof Uint8Array) return 1
  const { data } = images
  const end = Math.min(data.length, mostSampled)
  let largest = 0
  // A plain loop, as every prediction comes here.
  for (let i = 0; i < end; i++) largest = Math.max(largest, Math.abs(data[i] as number))
  return largest
}

/** Whole numbers from 0 to 255, as pixels are, and not only small ones, nor such as the network makes small. */
function looksLikeBytes(images: CheckedImages, largest: number, by: Normalization | undefined): boolean {
  if (images.data instanceof Uint8Array || largest <= farAway || (by && !isOfUnit(by))) return false
  const sample = images.data.subarray(0, mostSampled)
  return sample.every((value) => Number.isInteger(value) && value >= 0 && value <= 255)
}

/** Whether it may be of numbers from 0 to 1, whose deviation is never greater. */
function isOfUnit({ mean, deviation }: Normalization): boolean {
  return mean.every((one) => one >= 0 && one <= 1) && deviation.every((one) => one <= 1)
}

/** A network whose outputs are to be logits, and that ends in what makes all of them positive. */
export function suspectEnd(last: Layer | undefined): void {
  if (!last || !('activation' in last) || last.activation !== 'relu') return
  warnOnce(
    'CANDLEWICK_RELU_AT_END',
    `The last layer (${last.kind}) ends in relu, so no output can say no; leave its activation out: the loss takes logits.`,
  )
}

/** A loss that is no better than a guess, epoch after epoch. The classes are asked for where it has not fallen alone. */
export function suspectLoss(classesOf: () => number, before: number, after: number): void {
  if (!(after >= before)) return
  const classes = classesOf()
  const guess = Math.log(classes)
  if (classes < 2 || !(before > guess && after > guess)) return
  warnOnce(
    'CANDLEWICK_LOSS_STAYS',
    `The loss is ${after.toFixed(4)}, and was ${before.toFixed(4)} an epoch before; guessing among ${classes} classes has ` +
      `${guess.toFixed(4)}. Try a lower learning rate, look at images and labels, or initialize anew.`,
  )
}
