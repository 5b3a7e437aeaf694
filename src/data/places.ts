/** Which images of native memory a dataset is of, and in which order: a range of them or, after a split, a list. */

import { inOrder } from './order.js'

export interface Places {
  /** The number in native memory of the first; of a list, 0. */
  readonly start: number
  readonly length: number
  /** Their numbers in native memory, never written to; undefined for a range. */
  readonly list: Uint32Array | undefined
}

/** The numbers in native memory of the images `start` to `end` (excluded); not to be written to. */
export function numbersOf(places: Places, start = 0, end = places.length): Uint32Array {
  if (places.list) return places.list.subarray(start, end)
  return inOrder(end - start, places.start + start)
}

/** Turns numbers of the images among those of `places` into their numbers in native memory, in place. */
export function toNumbers(places: Places, images: Uint32Array): Uint32Array {
  const { start, list } = places
  for (let i = 0; i < images.length; i++) {
    const image = images[i] as number
    images[i] = list ? (list[image] as number) : start + image
  }
  return images
}
