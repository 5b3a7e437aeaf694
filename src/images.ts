import { unexpected } from './expect.js'

/** A batch of images in memory: bytes, which count as 0 to 1 (divided by 255), or float32, taken as they are. */
export interface Images {
  /** All values, image after image. Leave them alone until a call that was given them has finished. */
  data: Uint8Array | Float32Array
  /** (n, channels, height, width) */
  shape: readonly number[]
}

/** Images of bytes, as datasets hold them. */
export interface ByteImages extends Images {
  data: Uint8Array
}

/** @internal */
export function checkImages(images: Images): Images {
  const { data, shape } = images ?? {}
  if (!(data instanceof Uint8Array || data instanceof Float32Array)) {
    throw unexpected('images.data', 'a Uint8Array or Float32Array', data)
  }
  if (!Array.isArray(shape) || shape.length !== 4 || !shape.every(isSize)) {
    throw unexpected('images.shape', '[n, channels, height, width]', shape)
  }
  const length = shape.reduce((product, size) => product * size, 1)
  if (data.length !== length) {
    throw unexpected('images.data', `${length} values, as shape [${shape.join(', ')}] needs,`, data)
  }
  return images
}

function isSize(size: unknown): boolean {
  return Number.isInteger(size) && (size as number) >= 0 && (size as number) < 2 ** 31
}

/** @internal */
export function checkLabels(labels: ArrayLike<number>, count: number): Uint32Array {
  if (typeof labels?.length !== 'number' || labels.length !== count) {
    throw unexpected('labels', `${count} numbers, one for each image,`, labels)
  }
  for (let i = 0; i < count; i++) {
    const label = labels[i] as number
    if (!isSize(label)) throw unexpected(`labels[${i}]`, 'an integer of at least 0', label)
  }
  return Uint32Array.from(labels)
}
