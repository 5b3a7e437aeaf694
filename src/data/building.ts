/** How images come into native memory. */

import { setImmediate } from 'node:timers/promises'
import { callAddon, DatasetBuilder } from '../addon.js'
import { unexpected } from '../expect.js'

export interface BuilderOptions {
  /** Of images; left out where nobody knows yet how many will come. */
  count?: number
  /** (channels, height, width) */
  shape: readonly number[]
  ofFloats?: boolean
  /** Of each image. */
  targets?: number
}

export function newBuilder({ count, shape, ofFloats = false, targets = 0 }: BuilderOptions): DatasetBuilder {
  const [channels, height, width] = shape as [number, number, number]
  return callAddon(() => new DatasetBuilder(count, channels, height, width, targets, ofFloats))
}

/** The next values of images, of the builder's kind. */
export function pushImages(builder: DatasetBuilder, data: Uint8Array | Float32Array): void {
  if (data instanceof Float32Array) callAddon(() => builder.pushFloats(data))
  else callAddon(() => builder.pushPixels(data))
}

const pieceLength = 1 << 20 // bytes that the event loop copies at a time

/** As {@link pushImages}, piece by piece; the event loop runs in between, and with it who might give the array away. */
export async function pushInPieces(
  name: string,
  builder: DatasetBuilder,
  data: Uint8Array | Float32Array,
): Promise<void> {
  const { length } = data
  const step = pieceLength / data.BYTES_PER_ELEMENT
  for (let from = 0; from < length; from += step) {
    if (data.length !== length) throw unexpected(name, 'an array that is left alone meanwhile', data)
    pushImages(builder, data.subarray(from, from + step))
    await setImmediate()
  }
}
