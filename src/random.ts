/** What is left to chance, and how a seed decides it. */

import { webcrypto as crypto } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import { inOrder } from './data/order.js'
import { expectInteger } from './expect.js'

/** Draws one random order of `start ... start + length - 1` after the other; lets the event loop run in between. */
export type Shuffler = (length: number, start: number) => Promise<Uint32Array>

const turnLength = 1 << 14 // swaps, about a millisecond of them

/** Largest seed. */
export const mostSeed = 2 ** 32 - 1

export function expectSeed(value: unknown): number {
  return expectInteger('seed', value, 0, mostSeed)
}

/** The orders that follow from a seed, the same on every machine. */
export function shuffler(seed: number): Shuffler {
  const generator = xoroshiro128plus(seed)
  return async (length, start) => {
    const order = inOrder(length, start)
    // Fisher and Yates
    for (let i = length - 1; i > 0; i--) {
      if (i % turnLength === 0) await setImmediate()
      const j = uniformInt(generator, 0, i)
      const swapped = order[i] as number
      order[i] = order[j] as number
      order[j] = swapped
    }
    return order
  }
}

/** What decides the augmentation of one epoch after the other: a seed, and the number of the epoch from 1 on. */
export type EpochSeeds = () => { readonly seed: number; readonly epoch: number }

/** The epochs that are augmented by a seed, each another. */
export function epochSeeds(seed: number): EpochSeeds {
  let epoch = 0
  return () => ({ seed, epoch: ++epoch })
}

/** A seed that nobody chose. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] as number
}
