import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** Draws one random order of `0 ... length - 1` after the other. */
export type Shuffler = (length: number) => Uint32Array

/** The orders that follow from a seed, the same on every machine. */
export function shuffler(seed: number): Shuffler {
  const generator = xoroshiro128plus(seed)
  return (length) => {
    const order = inOrder(length)
    // Fisher and Yates
    for (let i = length - 1; i > 0; i--) {
      const j = uniformInt(generator, 0, i)
      const swapped = order[i] as number
      order[i] = order[j] as number
      order[j] = swapped
    }
    return order
  }
}

/** `0 ... length - 1` */
export function inOrder(length: number): Uint32Array {
  return Uint32Array.from({ length }, (_, i) => i)
}

/** A seed that nobody chose. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] as number
}
