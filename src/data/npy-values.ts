/** What the bytes of numpy's arrays stand for. */

import type { NumberType } from './npy.js'

/** Whole values as bytes of images or as float32; undefined for a type that images are not of. */
export function pixelsOf(piece: Uint8Array, type: NumberType): Uint8Array | Float32Array | undefined {
  if (type.kind === 'uint' && type.size === 1) return piece
  if (type.kind !== 'float' || type.size < 4) return undefined
  const view = viewOf(piece)
  const littleEndian = !type.isBigEndian
  const values = new Float32Array(piece.length / type.size)
  for (let i = 0; i < values.length; i++) {
    values[i] = type.size === 4 ? view.getFloat32(4 * i, littleEndian) : view.getFloat64(8 * i, littleEndian)
  }
  return values
}

/** Whole values as numbers, of which those of 8 bytes may be off where they are beyond 2⁵³; undefined for floats. */
export function integersOf(piece: Uint8Array, { kind, size, isBigEndian }: NumberType): number[] | undefined {
  if (kind === 'float') return undefined
  const view = viewOf(piece)
  const read = {
    1: (at: number) => (kind === 'int' ? view.getInt8(at) : view.getUint8(at)),
    2: (at: number) => (kind === 'int' ? view.getInt16(at, !isBigEndian) : view.getUint16(at, !isBigEndian)),
    4: (at: number) => (kind === 'int' ? view.getInt32(at, !isBigEndian) : view.getUint32(at, !isBigEndian)),
    8: (at: number) =>
      Number(kind === 'int' ? view.getBigInt64(at, !isBigEndian) : view.getBigUint64(at, !isBigEndian)),
  }[size as 1 | 2 | 4 | 8]
  return Array.from({ length: piece.length / size }, (_, i) => read(i * size))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Images whose channels stand beside one another, pixel by pixel, as images of one channel after the other. */
export function channelsFirst(values: Uint8Array | Float32Array, channels: number, plane: number): typeof values {
  const turned = values instanceof Float32Array ? new Float32Array(values.length) : new Uint8Array(values.length)
  const length = channels * plane
  for (let image = 0; image < values.length; image += length) {
    for (let channel = 0; channel < channels; channel++) {
      const to = image + channel * plane
      for (let i = 0; i < plane; i++) turned[to + i] = values[image + i * channels + channel] as number
    }
  }
  return turned
}
