/** What is left to chance, and how a seed decides it. */

import { webcrypto as crypto } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus, xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus'
import { inOrder } from './data/order.js'
import { expectInteger } from './expect.js'

/** Draws one random order of `start ... start + length - 1` after the other; lets the event loop run in between. */
export interface Shuffler {
  (length: number, start: number): Promise<Uint32Array>
  /** By which the next orders can be drawn again. */
  state(): readonly number[]
}

const turnLength = 1 << 14 // swaps, about a millisecond of them

/** Largest seed. */
export const mostSeed = 2 ** 32 - 1

export function expectSeed(value: unknown): number {
  return expectInteger('seed', value, 0, mostSeed)
}

/** The orders that follow from a seed, the same on every machine. */
export function shuffler(seed: number): Shuffler {
  return shufflerOf(xoroshiro128plus(seed))
}

function shufflerOf(generator: ReturnType<typeof xoroshiro128plus>): Shuffler {
  const next = async (length: number, start: number) => {
    const order = inOrder(length, start)
    for (let i = length - 1; i > 0; i--) {
      if (i % turnLength === 0) await setImmediate()
      swap(order, i, generator)
    }
    return order
  }
  return Object.assign(next, { state: () => generator.getState() })
}

/** A step of Fisher's and Yates'. */
function swap(order: Uint32Array, i: number, generator: ReturnType<typeof xoroshiro128plus>): void {
  const j = uniformInt(generator, 0, i)
  const swapped = order[i] as number
  order[i] = order[j] as number
  order[j] = swapped
}

/** What orders are drawn for beside those of a {@link shuffler}, so many times 2⁶⁴ numbers further on. */
const beside = { split: 1, shuffle: 2 } as const

/**
 * A random order of `0 ... length - 1` that follows from a seed and is none of its {@link shuffler}'s, nor of another purpose's, drawn
 * while the event loop waits.
 */
export function shuffledBeside(seed: number, length: number, purpose: keyof typeof beside = 'split'): Uint32Array {
  const generator = xoroshiro128plus(seed)
  for (let jumps = 0; jumps < beside[purpose]; jumps++) generator.jump()
  const order = inOrder(length, 0)
  for (let i = length - 1; i > 0; i--) swap(order, i, generator)
  return order
}

/** What is drawn for one epoch of a training after the other. */
export interface Draws {
  /** The order of its images. */
  readonly nextOrder: Shuffler
  /** What decides its augmentation: a seed, and the number of the epoch from 1 on. */
  nextSeed(): { readonly seed: number; readonly epoch: number }
  /** By which the next epochs can be drawn again; plain JSON. */
  state(): DrawsState
}

export interface DrawsState {
  readonly order: readonly number[]
  readonly seed: number
  readonly epoch: number
}

/** The epochs that follow from a seed. */
export function draws(seed: number): Draws {
  return drawing(shuffler(seed), seed, 0)
}

/** The epochs that follow from where others were. */
export function drawsFrom({ order, seed, epoch }: DrawsState): Draws {
  return drawing(shufflerOf(xoroshiro128plusFromState(order)), seed, epoch)
}

function drawing(nextOrder: Shuffler, seed: number, drawn: number): Draws {
  let epoch = drawn
  return {
    nextOrder,
    nextSeed: () => ({ seed, epoch: ++epoch }),
    state: () => ({ order: nextOrder.state(), seed, epoch }),
  }
}

/** A seed that nobody chose. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] as number
}
