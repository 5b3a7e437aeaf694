import { DatasetBuilder, type Dataset as NativeDataset } from '../../index.js'
import { native } from '../errors.js'
import { expectInteger, expectOptions, unexpected } from '../expect.js'
import { type ByteImages, checkImages, checkLabels } from '../images.js'
import { inOrder } from '../shuffle.js'

/** Labelled images in native memory, one byte a pixel, held once however many datasets are sliced from them. */
export class Dataset {
  /** @internal */
  constructor(
    /** @internal */
    readonly native: NativeDataset,
    /** @internal */
    readonly start: number,
    /** Number of images. */
    readonly length: number,
  ) {}

  /** (channels, height, width) of an image. */
  get imageShape(): [number, number, number] {
    return this.native.imageShape as [number, number, number]
  }

  /** Copies of the images `start` to `end` (excluded; the length by default), made while the event loop waits. */
  images(start = 0, end = this.length): ByteImages {
    return this.#pixels(this.#range(start, end))
  }

  /** The labels of the images `start` to `end` (excluded; the length by default). */
  labels(start = 0, end = this.length): Uint8Array {
    return this.native.labels(this.#range(start, end))
  }

  /** The images `start` to `end` (excluded; the length by default) as a dataset of their own; copies nothing. */
  slice(start = 0, end = this.length): Dataset {
    this.#check(start, end)
    return new Dataset(this.native, this.start + start, end - start)
  }

  /** Copies of the images batch by batch, in the dataset's order or a given one; the last batch may be smaller. */
  *batches(options: {
    batchSize: number
    order?: ArrayLike<number>
  }): Generator<{ images: ByteImages; labels: Uint8Array }, void, void> {
    expectOptions<typeof options>('batches', options, { batchSize: true, order: true })
    const batchSize = expectInteger('batchSize', options.batchSize, 1)
    const { order } = options
    if (order !== undefined) this.#checkOrder(order)
    const count = order?.length ?? this.length
    for (let from = 0; from < count; from += batchSize) {
      const length = Math.min(batchSize, count - from)
      const indices = Uint32Array.from({ length }, (_, i) => this.start + (order?.[from + i] ?? from + i))
      yield { images: this.#pixels(indices), labels: this.native.labels(indices) }
    }
  }

  #pixels(indices: Uint32Array): ByteImages {
    return { data: this.native.pixels(indices), shape: [indices.length, ...this.imageShape] }
  }

  #range(start: number, end: number): Uint32Array {
    this.#check(start, end)
    return inOrder(end - start, this.start + start)
  }

  #check(start: number, end: number): void {
    expectInteger('start', start, 0, this.length)
    expectInteger('end', end, start, this.length)
  }

  #checkOrder(order: ArrayLike<number>): void {
    if (typeof order?.length !== 'number') throw unexpected('order', 'an array of image numbers', order)
    for (let i = 0; i < order.length; i++) {
      const image = order[i] as number
      if (Number.isInteger(image) && image >= 0 && image < this.length) continue
      throw unexpected(`order[${i}]`, `an integer from 0 to ${this.length - 1}`, image)
    }
  }
}

const pieceLength = 1 << 20 // bytes that the event loop copies at a time

/** A dataset of images that are in memory already; each label is from 0 to 255. */
export async function arrayDataset(options: { images: ByteImages; labels: ArrayLike<number> }): Promise<Dataset> {
  expectOptions<typeof options>('arrayDataset', options, { images: true, labels: true })
  const { data, shape } = checkImages(options.images)
  if (!(data instanceof Uint8Array)) throw unexpected('images.data', 'a Uint8Array', data)
  const [count, channels, height, width] = shape
  const labels = checkLabels(options.labels, count)
  const tooLarge = labels.findIndex((label) => label > 255)
  if (tooLarge >= 0) throw unexpected(`labels[${tooLarge}]`, 'an integer from 0 to 255', labels[tooLarge])
  const builder = native(() => new DatasetBuilder(count, channels, height, width))
  for (let from = 0; from < data.length; from += pieceLength) {
    native(() => builder.pushPixels(data.subarray(from, from + pieceLength)))
    await new Promise(setImmediate)
  }
  native(() => builder.pushLabels(Uint8Array.from(labels)))
  return new Dataset(
    native(() => builder.finish()),
    0,
    count,
  )
}
