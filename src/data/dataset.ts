import { callAddon, callAddonAsync, NativeDataset } from '../addon.js'
import { markClass } from '../copies.js'
import { CandlewickError } from '../errors.js'
import { expectInstance, expectInteger, expectOptions, expectSignal, unexpected } from '../expect.js'
import { allocate } from '../memory.js'
import type { Preparation } from '../pictures/preparation.js'
import { expectSeed, randomSeed, shuffledBeside } from '../random.js'
import { type Batch, batchesOf, checkOrder } from './batches.js'
import { commonClasses, requireNames } from './classes.js'
import { copyImages, copyLabels, copyTargets } from './copies.js'
import type { Held, Images } from './images.js'
import { countsOf, type Labels } from './labels.js'
import { type MapOptions, mapped } from './mapped.js'
import { numbersOf, toNumbers } from './places.js'
import { type SplitOptions, splitPlaces } from './split.js'
import type { Targets } from './targets.js'

/** What is known of a dataset beside its images. */
export interface Facts {
  readonly classes?: readonly string[] | undefined
  readonly pictures?: Preparation | undefined
}

/** Of each channel, over all pixels of all images: of bytes as they count, 0 to 1, of float32 as they are. */
export interface Statistics {
  /** A number for each channel. */
  mean: number[]
  /** The root of the mean square of what differs from the mean. */
  deviation: number[]
}

/**
 * Images in native memory, one byte or one float32 a pixel, held once however many datasets are sliced from them; with labels, with
 * targets, or with both.
 */
export class Dataset<I extends Images = Images> {
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
  /** What each label stands for, from 0 on, where that is known. */
  readonly classes: readonly string[] | undefined
  /**
   * How the images were made of pictures, where they were.
   * @internal
   */
  readonly pictures: Preparation | undefined

  /** @internal */
  constructor(native: NativeDataset, start: number, length: number, list?: Uint32Array, facts: Facts = {}) {
    if (!(native instanceof NativeDataset)) {
      throw unexpected('native', 'images of the addon, as arrayDataset() and idxDataset() make datasets of,', native)
    }
    this.native = native
    this.start = start
    this.length = length
    this.list = list
    this.classes = facts.classes
    this.pictures = facts.pictures
  }

  /** (channels, height, width) of an image. */
  get imageShape(): [number, number, number] {
    return expectDataset(this).native.imageShape as [number, number, number]
  }

  /** Copies of the images `start` to `end` (excluded; the length by default), made while the event loop waits. */
  images(start = 0, end?: number): I {
    const dataset = expectDataset(this)
    return copyImages(dataset.native, rangeOf(dataset, start, end)) as Images as I
  }

  /** The labels of the images `start` to `end` (excluded; the length by default). */
  labels(start = 0, end?: number): Labels {
    const dataset = expectDataset(this)
    const range = rangeOf(dataset, start, end)
    if (dataset.native.hasLabels) return copyLabels(dataset.native, range)
    throw new CandlewickError('DATA_MISMATCH', 'The dataset has targets alone; ask for its targets().')
  }

  /** The targets of the images `start` to `end` (excluded; the length by default). */
  targets(start = 0, end?: number): Targets {
    const dataset = expectDataset(this)
    const range = rangeOf(dataset, start, end)
    if (dataset.native.targetLength > 0) return copyTargets(dataset.native, range)
    throw new CandlewickError('DATA_MISMATCH', 'The dataset has labels alone; ask for its labels().')
  }

  /**
   * How many images there are of each label: as many numbers as there are classes or, where those have no names, as there are labels
   * up to the largest of all images that were loaded together.
   */
  counts(): number[] {
    const dataset = expectDataset(this)
    return countsOf(dataset.labels(), dataset.classes?.length ?? dataset.native.largestLabel + 1)
  }

  /** Mean and deviation of each channel, computed off the event loop. */
  async statistics(): Promise<Statistics> {
    const dataset = expectDataset(this)
    return callAddonAsync(() => dataset.native.statistics(numbersOf(dataset)))
  }

  /** The images `start` to `end` (excluded; the length by default) as a dataset of their own; copies nothing. */
  slice(start = 0, end?: number): Dataset<I> {
    const dataset = expectDataset(this)
    const length = checkRange(dataset, start, end)
    const { native, list } = dataset
    if (list) return new Dataset(native, 0, length, list.subarray(start, start + length), dataset)
    return new Dataset(native, dataset.start + start, length, undefined, dataset)
  }

  /**
   * The images dealt out at random into a dataset for each of `shares`, such as `[0.9, 0.1]`; copies none. An image comes into one
   * of them, or into none where the shares sum to less than 1. Takes some ten milliseconds for a million images, while the event
   * loop waits.
   */
  split<const S extends readonly number[]>(shares: S, options: SplitOptions = {}): { [K in keyof S]: Dataset<I> } {
    const dataset = expectDataset(this)
    const { native } = dataset
    const labels = native.hasLabels ? () => copyLabels(native, numbersOf(dataset)) : undefined
    const lists = splitPlaces(dataset.length, shares, options, labels)
    return lists.map((list) => listed(dataset, list)) as { [K in keyof S]: Dataset<I> }
  }

  /**
   * All images in a random order that follows from the seed, from 0 to 2³² - 1, by default another one each time; copies none. It is
   * neither the order of a `split` nor of a `fit` with this seed. Takes as long as a split.
   */
  shuffle(seed?: number): Dataset<I> {
    const dataset = expectDataset(this)
    const given = seed === undefined ? randomSeed() : expectSeed(seed)
    return listed(dataset, shuffledBeside(given, dataset.length, 'shuffle'))
  }

  /** The images for whose label and number `predicate` says true, one after the other while the event loop waits; copies none. */
  filter(predicate: (label: number, index: number) => boolean): Dataset<I> {
    const dataset = expectDataset(this)
    if (typeof predicate !== 'function') throw unexpected('predicate', 'a function of a label and a number', predicate)
    const labels = dataset.labels()
    const kept = allocate(`the numbers of ${labels.length} images`, Uint32Array, labels.length)
    let count = 0
    labels.forEach((label, index) => {
      const keeps: unknown = predicate(label, index)
      if (typeof keeps !== 'boolean') throw unexpected('what predicate says', 'true or false', keeps)
      if (keeps) kept[count++] = index
    })
    return listed(dataset, kept.slice(0, count))
  }

  /**
   * These images and then the other's, which are of the same shape and kind, with labels and targets as these have. Where both are of
   * images that were loaded together, none is copied; else all are, off the event loop. Class names must agree, or one lacks them.
   */
  async concat(other: Dataset): Promise<Dataset<I>> {
    const [dataset, others] = [expectDataset(this), expectDataset(other, 'other')]
    const largest = Math.max(dataset.native.largestLabel, others.native.largestLabel)
    const classes = requireNames(commonClasses(dataset.classes, others.classes), largest)
    const facts = { classes, pictures: dataset.pictures ?? others.pictures }
    const [own, theirs] = [numbersOf(dataset), numbersOf(others)]
    if (dataset.native !== others.native) {
      const native = await callAddonAsync(() => dataset.native.joined(own, others.native, theirs))
      return datasetOf<I>(native as NativeDataset, facts)
    }
    const list = allocate('the numbers of two datasets', Uint32Array, own.length + theirs.length)
    list.set(own)
    list.set(theirs, own.length)
    return new Dataset(dataset.native, 0, list.length, list, facts)
  }

  /**
   * The images that a function makes of these, batch by batch: as many as it is given, of any shape and kind but all alike, at once or
   * by a promise. They keep their order, their labels and their targets. The event loop runs between two batches.
   */
  async map<const O extends Images>(
    map: (batch: Batch<I>) => O | Promise<O>,
    options: MapOptions = {},
  ): Promise<Dataset<Held<O>>> {
    const dataset = expectDataset(this)
    if (typeof map !== 'function') throw unexpected('map', 'a function of a batch', map)
    const given = expectOptions<MapOptions>('map', options, { batchSize: true, signal: true })
    const batchSize = given.batchSize === undefined ? 256 : expectInteger('batchSize', given.batchSize, 1)
    const signal = expectSignal(given.signal)
    signal?.throwIfAborted()
    const native = await mapped(dataset, map as (batch: Batch) => unknown, { batchSize, signal })
    return datasetOf<Held<O>>(native, { classes: dataset.classes })
  }

  /**
   * Copies of the images batch by batch, in the dataset's order or a given one, each made while the event loop waits; the last
   * batch may be smaller.
   */
  batches(options: { batchSize: number; order?: ArrayLike<number> }): Generator<Batch<I>, void, void> {
    const dataset = expectDataset(this)
    const given = expectOptions<typeof options>('batches', options, { batchSize: true, order: true })
    const batchSize = expectInteger('batchSize', given.batchSize, 1)
    const order = given.order === undefined ? undefined : checkOrder(dataset, given.order)
    return batchesOf(dataset, batchSize, order) as Generator<Batch, void, void> as Generator<Batch<I>, void, void>
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
 * All images of native memory.
 * @internal
 */
export function datasetOf<I extends Images>(native: NativeDataset, facts: Facts = {}): Dataset<I> {
  return new Dataset<I>(native, 0, native.length, undefined, facts)
}

/** The images of these numbers among a dataset's, which become those in native memory. */
function listed<I extends Images>(dataset: Dataset, images: Uint32Array): Dataset<I> {
  return new Dataset<I>(dataset.native, 0, images.length, toNumbers(dataset, images), dataset)
}

/**
 * A dataset of this copy of candlewick's, and no proxy of one.
 * @internal
 */
export function expectDataset(dataset: unknown, name = 'dataset'): Dataset {
  const found = expectInstance<Dataset>(name, 'a Dataset, as from fashionMnist(),', dataset, Dataset)
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
