/** How images get into the addon and values out of it: piece by piece, so that the event loop never waits for a large copy. */

import { setImmediate } from 'node:timers/promises'
import { callAddon, callAddonAsync, ImageFeed } from './addon.js'
import type { CheckedImages } from './data/images.js'
import { messageOf } from './errors.js'
import { unexpected } from './expect.js'

const pieceLength = 1 << 20 // values, a millisecond's or two to copy

/** Does work that takes images. It has its place in line before this returns, however long the images take to follow. */
export async function fed<T>(images: CheckedImages, work: (feed: ImageFeed) => Promise<T>): Promise<T> {
  const feed = callAddon(() => new ImageFeed(images.data instanceof Uint8Array, images.shape))
  const handed = handOver(feed, images)
  try {
    const [done] = await Promise.all([callAddonAsync(() => work(feed)), handed])
    return done
  } finally {
    feed.free()
  }
}

/** Never throws: the work is told of a failure, and fails with it. */
async function handOver(feed: ImageFeed, { data, shape }: CheckedImages): Promise<void> {
  const length = shape.reduce((product, size) => product * size, 1)
  try {
    for (let start = 0; start < length; start += pieceLength) {
      if (start > 0) await setImmediate()
      if (data.length !== length) throw unexpected('images.data', 'an array that is left alone meanwhile', data)
      const piece = data.subarray(start, start + pieceLength)
      callAddon(() => (piece instanceof Uint8Array ? feed.pushBytes(piece) : feed.pushFloats(piece)))
    }
  } catch (error) {
    feed.fail(messageOf(error))
  }
}

/** Hands over arrays one after the other, in pieces, with turns for others in between. */
export async function handOverPieces(
  arrays: readonly Float32Array[],
  push: (piece: Float32Array) => void,
): Promise<void> {
  let handed = 0
  for (const array of arrays) {
    const { length } = array
    for (let start = 0; start < length; start += pieceLength) {
      if (handed >= pieceLength) {
        await setImmediate()
        handed = 0
      }
      if (array.length !== length) throw unexpected('data', 'an array that is left alone meanwhile', array)
      const piece = array.subarray(start, start + pieceLength)
      callAddon(() => push(piece))
      handed += piece.length
    }
  }
}

/** Fills an array with what `read` copies from the addon. */
export async function fill<T extends Float32Array | Uint32Array>(
  array: T,
  read: (start: number, piece: T) => void,
): Promise<T> {
  for (let start = 0; start < array.length; start += pieceLength) {
    if (start > 0) await setImmediate() // a turn for others
    callAddon(() => read(start, array.subarray(start, start + pieceLength) as T))
  }
  return array
}
