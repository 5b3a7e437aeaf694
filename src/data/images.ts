import { types } from 'node:util'
import { CandlewickError } from '../errors.js'
import {
  expectIntegers,
  reading,
  readOnce,
  typedArrayBuffer,
  typedArrayLength,
  typedArrayOffset,
  unexpected,
} from '../expect.js'
import { allocate } from '../memory.js'

/** A batch of images in memory: bytes, which count as 0 to 1 (divided by 255), or float32, taken as they are. */
export interface Images {
  /** All values, image after image. Leave them alone until a call that was given them has finished. */
  data: Uint8Array | Uint8ClampedArray | Float32Array
  /** (n, channels, height, width) */
  shape: readonly number[]
}

/** Images of bytes. */
export interface ByteImages extends Images {
  data: Uint8Array
}

/** Images of float32. */
export interface FloatImages extends Images {
  data: Float32Array
}

/** What a dataset makes of images that it is given. */
export type Held<I extends Images> = I['data'] extends Float32Array
  ? FloatImages
  : Float32Array extends I['data']
    ? ByteImages | FloatImages
    : ByteImages

/** Images whose values are as many as their shape says. */
export interface CheckedImages {
  data: Uint8Array | Float32Array
  shape: [n: number, channels: number, height: number, width: number]
}

/**
 * The images as they are now, whatever becomes of the object; their values are not copied.
 * @internal
 */
export function checkImages(images: unknown): CheckedImages {
  const given = readOnce<Images>('images', images, { data: true, shape: true })
  const data = typedArray(given.data)
  if (!data) throw unexpected('images.data', 'a Uint8Array, Uint8ClampedArray or Float32Array', given.data)
  const expected = '[n, channels, height, width]'
  const shape = expectIntegers('images.shape', expected, given.shape, 4, 0) as CheckedImages['shape']
  if (shape.indexOf(0, 1) > 0) {
    const message = `Images of shape [${shape.join(', ')}] have no pixels; channels, height and width must be at least 1.`
    throw new CandlewickError('INVALID_SHAPE', message)
  }
  const length = shape.reduce((product, size) => product * size, 1)
  if (data.length !== length) {
    throw unexpected('images.data', `${length} values, as shape [${shape.join(', ')}] needs,`, given.data)
  }
  return { data, shape }
}

/**
 * A plain view of the same memory, as the addon takes it: arrays of another realm are no `instanceof` ours, those of
 * subclasses may say what they like, and one that follows its buffer's length may outgrow its shape.
 */
function typedArray(data: unknown): Uint8Array | Float32Array | undefined {
  if (types.isUint8Array(data) || types.isUint8ClampedArray(data)) return view(Uint8Array, data)
  if (types.isFloat32Array(data)) return view(Float32Array, data)
  return undefined
}

type Constructor<T> = new (buffer: ArrayBufferLike, offset: number, length: number) => T

function view<T>(type: Constructor<T>, data: ArrayBufferView): T {
  const length = typedArrayLength(data)
  // There is no view of a buffer that was given away.
  return length === 0
    ? new type(new ArrayBuffer(0), 0, 0)
    : new type(typedArrayBuffer(data), typedArrayOffset(data), length)
}

/**
 * A copy of labels, one for each of `count` images.
 * @internal
 */
export function checkLabels(labels: unknown, count: number): Uint32Array {
  const expected = `${count} numbers, one for each image,`
  if (typeof labels !== 'object' || labels === null) throw unexpected('labels', expected, labels)
  return reading('labels', () => {
    const given = labels as ArrayLike<unknown>
    if (given.length !== count) throw unexpected('labels', expected, labels)
    const copy = allocate(`the labels of ${count} images`, Uint32Array, count)
    for (let i = 0; i < count; i++) {
      const label = given[i]
      if (typeof label === 'string') {
        const expected = 'a number (map names to numbers, as with classes.indexOf(name))'
        throw unexpected(`labels[${i}]`, expected, label)
      }
      if (!isLabel(label)) throw unexpected(`labels[${i}]`, 'an integer of at least 0', label)
      copy[i] = label
    }
    return copy
  })
}

function isLabel(label: unknown): label is number {
  return typeof label === 'number' && Number.isInteger(label) && label >= 0 && label < 2 ** 31
}
