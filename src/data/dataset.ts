import { setImmediate } from 'node:timers/promises'
import { callAddon, DatasetBuilder, NativeDataset } from '../addon.js'
import { markClass } from '../copies.js'
import { CandlewickError } from '../errors.js'
import { expectInstance, expectInteger, expectOptions, reading, unexpected } from '../expect.js'
import { allocate } from '../memory.js'
import { type ByteImages, checkImages, checkLabels, type Images } from './images.js'
import { numbersOf, toNumbers } from './places.js'
import { type SplitOptions, splitPlaces } from './split.js'
import { checkTargets, type Targets } from './targets.js'

/** A batch of a dataset. */
export interface Batch {
  images: ByteImages
  /** Empty where the dataset has targets alone. */
  labels: Uint8Array
  /** Where the dataset has any. */
  targets?: Targets
}

/**
 * Images in native memory, one byte a pixel, held once however many datasets are sliced from them; with labels, with targets, or
 * with both.
 */
export class Dataset {
  static {
    markClass(Dataset, 'Dataset')
  }

  /** @internal */
  readonly native: NativeDataset
  /** @internal */
  readonly start: number
  /** Number of images. */
  readonly length: number
  /** @internal */
  readonly list: Uint32Array | undefined

  /** @internal */
  constructor(native: NativeDataset, start: number, length: number, list?: Uint32Array) {
    if (!(native instanceof NativeDataset)) {
      throw unexpected('native', 'images of the addon, as arrayDataset() and idxDataset() make datasets of,', native)
    }
    this.native = native
    this.start = start
    this.length = length
    this.list = list
  }

  /** (channels, height, width) of an image. */
  get imageShape(): [number, number, number] {
    return expectDataset(this).native.imageShape as [number, number, number]
  }

  /** Copies of the images `start` to `end` (excluded; the length by default), made while the event loop waits. */
  images(start = 0, end?: number): ByteImages {
    const dataset = expectDataset(this)
    return copyImages(dataset, rangeOf(dataset, start, end))
  }

  /** The labels of the images `start` to `end` (excluded; the length by default). */
  labels(start = 0, end?: number): Uint8Array {
    const dataset = expectDataset(this)
    const range = rangeOf(dataset, start, end)
    if (dataset.native.hasLabels) return copyLabels(dataset, range)
    throw new CandlewickError('DATA_MISMATCH', 'The dataset has targets alone; ask for its targets().')
  }

  /** The targets of the images `start` to `end` (excluded; the length by default). */
  targets(start = 0, end?: number): Targets {
    const dataset = expectDataset(this)
    const range = rangeOf(dataset, start, end)
    if (dataset.native.targetLength > 0) return copyTargets(dataset, range)
    throw new CandlewickError('DATA_MISMATCH', 'The dataset has labels alone; ask for its labels().')
  }

  /** The images `start` to `end` (excluded; the length by default) as a dataset of their own; copies nothing. */
  slice(start = 0, end?: number): Dataset {
    const dataset = expectDataset(this)
    const length = checkRange(dataset, start, end)
    const { native, list } = dataset
    if (list) return new Dataset(native, 0, length, list.subarray(start, start + length))
    return new Dataset(native, dataset.start + start, length)
  }

  /**
   * The images dealt out at random into a dataset for each of `shares`, such as `[0.9, 0.1]`; copies none. An image comes into one
   * of them, or into none where the shares sum to less than 1. Takes some ten milliseconds for a million images, while the event
   * loop waits.
   */
  split<const S extends readonly number[]>(shares: S, options: SplitOptions = {}): { [K in keyof S]: Dataset } {
    const dataset = expectDataset(this)
    const { native } = dataset
    const labels = native.hasLabels ? () => copyLabels(dataset, numbersOf(dataset)) : undefined
    const lists = splitPlaces(dataset.length, shares, options, labels)
    const parts = lists.map((list) => new Dataset(native, 0, list.length, toNumbers(dataset, list)))
    return parts as { [K in keyof S]: Dataset }
  }

  /**
   * Copies of the images batch by batch, in the dataset's order or a given one, each made while the event loop waits; the last
   * batch may be smaller.
   */
  batches(options: { batchSize: number; order?: ArrayLike<number> }): Generator<Batch, void, void> {
    const dataset = expectDataset(this)
    const given = expectOptions<typeof options>('batches', options, { batchSize: true, order: true })
    const batchSize = expectInteger('batchSize', given.batchSize, 1)
    const order = given.order === undefined ? undefined : checkOrder(dataset, given.order)
    return batchesOf(dataset, batchSize, order)
  }

  /**
   * Gives the images' memory back at once, once no network is at work on them, instead of when the garbage collector finds
   * that nobody needs them. From then on, what reads images of this dataset or of others sliced from the same fails with DISPOSED.
   */
  dispose(): void {
    expectDataset(this)
    callAddon(() => this.native.dispose())
  }

  /** {@link Dataset.dispose} */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

/**
 * A dataset of this copy of candlewick's, and no proxy of one.
 * @internal
 */
export function expectDataset(dataset: unknown, name = 'dataset'): Dataset {
  const found = expectInstance(name, 'a Dataset, as from fashionMnist(),', dataset, Dataset)
  if (found.native instanceof NativeDataset) return found
  throw unexpected(name, 'a Dataset, not what inherits from its class,', dataset)
}

/**
 * A dataset with images in it.
 * @internal
 */
export function expectImages(name: string, value: unknown): Dataset {
  const dataset = expectDataset(value, name)
  if (dataset.length === 0) throw new CandlewickError('INVALID_ARGUMENT', `The ${name} dataset has no images.`)
  return dataset
}

function* batchesOf(dataset: Dataset, batchSize: number, order: Uint32Array | undefined): Generator<Batch, void, void> {
  const count = order?.length ?? dataset.length
  for (let start = 0; start < count; start += batchSize) {
    const end = Math.min(start + batchSize, count)
    const indices = order?.subarray(start, end) ?? rangeOf(dataset, start, end)
    const { hasLabels, targetLength } = dataset.native
    const labels = hasLabels ? copyLabels(dataset, indices) : new Uint8Array(0)
    const images = copyImages(dataset, indices)
    yield { images, labels, ...(targetLength > 0 && { targets: copyTargets(dataset, indices) }) }
  }
}

/** Images by their numbers in native memory. */
function copyImages(dataset: Dataset, indices: Uint32Array): ByteImages {
  return imagesOf(dataset, indices, (data) => dataset.native.pixels(indices, data))
}

/**
 * As many images of the dataset's shape as there are indices, which a call of the addon fills in.
 * @internal
 */
export function imagesOf({ imageShape }: Dataset, indices: Uint32Array, fill: (data: Uint8Array) => void): ByteImages {
  const shape = [indices.length, ...imageShape]
  const length = shape.reduce((product, size) => product * size, 1)
  const data = allocate(`copies of ${indices.length} images`, () => new Uint8Array(length))
  callAddon(() => fill(data))
  return { data, shape }
}

function copyLabels({ native: images }: Dataset, indices: Uint32Array): Uint8Array {
  const labels = allocate(`the labels of ${indices.length} images`, () => new Uint8Array(indices.length))
  callAddon(() => images.labels(indices, labels))
  return labels
}

function copyTargets({ native: images }: Dataset, indices: Uint32Array): Targets {
  const shape = [indices.length, images.targetLength] as const
  const what = `the targets of ${indices.length} images`
  const data = allocate(what, () => new Float32Array(shape[0] * shape[1]))
  callAddon(() => images.targets(indices, data))
  return { data, shape }
}

/** The numbers in native memory of a range of a dataset's images. */
function rangeOf(dataset: Dataset, start: number, end: number | undefined): Uint32Array {
  const length = checkRange(dataset, start, end)
  return numbersOf(dataset, start, start + length)
}

/** The number of images of a range. */
function checkRange({ length }: Dataset, start: number, end = length): number {
  expectInteger('start', start, 0, length)
  return expectInteger('end', end, start, length) - start
}

/** The numbers in native memory of the images that `order` names. */
function checkOrder(dataset: Dataset, order: unknown): Uint32Array {
  return reading('order', () => {
    const { length } = Object(order) as ArrayLike<unknown>
    if (typeof order !== 'object' || !Number.isInteger(length) || length < 0) {
      throw unexpected('order', 'an array of image numbers', order)
    }
    const indices = allocate(`an order of ${length} images`, () => new Uint32Array(length))
    for (let i = 0; i < length; i++) {
      const image = (order as ArrayLike<unknown>)[i]
      indices[i] = expectInteger(`order[${i}]`, image, 0, dataset.length - 1)
    }
    return toNumbers(dataset, indices)
  })
}

const pieceLength = 1 << 20 // bytes that the event loop copies at a time

/** What a dataset is made of. */
export type ArrayDatasetOptions = { images: Images & { data: Uint8Array | Uint8ClampedArray } } & (
  | { labels: ArrayLike<number>; targets?: Targets }
  | { labels?: ArrayLike<number>; targets: Targets }
)

/**
 * A dataset of images that are in memory already, with a label each, from 0 to 255, with targets, a number for each output of a
 * network, or with both. Labels and targets are checked and copied while the event loop waits, some milliseconds for a million in a
 * typed array, some tens in a plain one; images are copied piece by piece: leave them alone meanwhile.
 */
export async function arrayDataset(options: ArrayDatasetOptions): Promise<Dataset> {
  const keys = { images: true, labels: true, targets: true } as const
  const given = expectOptions<ArrayDatasetOptions>('arrayDataset', options, keys)
  const { data, shape } = checkImages(given.images)
  if (!(data instanceof Uint8Array)) throw unexpected('images.data', 'a Uint8Array or Uint8ClampedArray', data)
  const [count, channels, height, width] = shape
  const targets = given.targets === undefined ? undefined : checkTargets(given.targets, count)
  const labels = given.labels === undefined && targets ? undefined : checkByteLabels(given.labels, count)
  const builder = callAddon(() => new DatasetBuilder(count, channels, height, width, targets?.shape[1] ?? 0))
  if (labels) callAddon(() => builder.pushLabels(labels))
  if (targets) callAddon(() => builder.pushTargets(targets.data))
  const { length } = data
  for (let from = 0; from < length; from += pieceLength) {
    if (data.length !== length) throw unexpected('images.data', 'an array that is left alone meanwhile', data)
    callAddon(() => builder.pushPixels(data.subarray(from, from + pieceLength)))
    await setImmediate()
  }
  return new Dataset(
    callAddon(() => builder.finish()),
    0,
    count,
  )
}

function checkByteLabels(given: unknown, count: number): Uint8Array {
  const labels = checkLabels(given, count)
  const tooLarge = labels.findIndex((label) => label > 255)
  if (tooLarge >= 0) throw unexpected(`labels[${tooLarge}]`, 'an integer from 0 to 255', labels[tooLarge])
  return allocate(`the labels of ${count} images`, () => Uint8Array.from(labels))
}
