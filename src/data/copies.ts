/** Copies of what is in native memory, of images by their numbers there. */

import { callAddon, type NativeDataset } from '../addon.js'
import { allocate } from '../memory.js'
import type { ByteImages, FloatImages } from './images.js'
import type { Labels } from './labels.js'
import type { Targets } from './targets.js'

export function copyImages(native: NativeDataset, indices: Uint32Array): ByteImages | FloatImages {
  if (!native.ofFloats) return imagesOf(native, indices, (data) => native.pixels(indices, data))
  const { shape, length } = sizesOf(native, indices)
  const data = allocate(`copies of ${indices.length} images`, Float32Array, length)
  callAddon(() => native.floats(indices, data))
  return { data, shape }
}

/** As many images of bytes of the dataset's shape as there are indices, which a call of the addon fills in. */
export function imagesOf(native: NativeDataset, indices: Uint32Array, fill: (data: Uint8Array) => void): ByteImages {
  const { shape, length } = sizesOf(native, indices)
  const data = allocate(`copies of ${indices.length} images`, Uint8Array, length)
  callAddon(() => fill(data))
  return { data, shape }
}

function sizesOf({ imageShape }: NativeDataset, indices: Uint32Array) {
  const shape = [indices.length, ...imageShape]
  return { shape, length: shape.reduce((product, size) => product * size, 1) }
}

export function copyLabels(native: NativeDataset, indices: Uint32Array): Labels {
  const what = `the labels of ${indices.length} images`
  if (native.largestLabel > 255) {
    const labels = allocate(what, Uint16Array, indices.length)
    callAddon(() => native.labels(indices, labels))
    return labels
  }
  const labels = allocate(what, Uint8Array, indices.length)
  callAddon(() => native.byteLabels(indices, labels))
  return labels
}

export function copyTargets(native: NativeDataset, indices: Uint32Array): Targets {
  const shape = [indices.length, native.targetLength] as const
  const what = `the targets of ${indices.length} images`
  const data = allocate(what, Float32Array, shape[0] * shape[1])
  callAddon(() => native.targets(indices, data))
  return { data, shape }
}
