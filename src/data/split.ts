/** Images dealt out at random, by shares: the same for the same seed, and of each class alike where that is asked for. */

import { CandlewickError } from '../errors.js'
import { type Checks, expectBoolean, expectSettings, reading, unexpected } from '../expect.js'
import { allocate } from '../memory.js'
import { expectSeed, randomSeed, shuffledBeside } from '../random.js'
import { countsOf, type Labels } from './labels.js'

/** Options of {@link Dataset.split}. */
export interface SplitOptions {
  /** Whether each class keeps its shares, as closely as whole images can; false by default. */
  stratify?: boolean
  /** 0 to 2³² - 1: decides which image comes where, and in which order. By default another one each time. */
  seed?: number
}

const checks: Checks<Required<SplitOptions>> = {
  stratify: (value = false) => expectBoolean('stratify', value),
  seed: (value) => (value === undefined ? randomSeed() : expectSeed(value)),
}

/** The numbers of the images of each part, out of `count`. `labels` is undefined where there are none. */
export function splitPlaces(
  count: number,
  given: unknown,
  options: SplitOptions,
  labels: (() => Labels) | undefined,
): Uint32Array[] {
  const shares = checkShares(given)
  const { stratify, seed } = expectSettings<SplitOptions>('split', options, checks)
  if (stratify && !labels) {
    const message = 'The dataset has targets alone, and no classes to stratify by; leave stratify out.'
    throw new CandlewickError('DATA_MISMATCH', message)
  }
  const classOf = stratify ? labels?.() : undefined
  const sizes = classOf ? stratifiedSizes(classOf, shares) : [wholeSizes(count, shares)]
  // Beside the orders of a training with this seed, which it must not follow.
  return deal(shuffledBeside(seed, count), sizes, shares.length, classOf)
}

/** As far as shares are off that people write, such as three of 0.333333333. */
const written = 1e-9

function checkShares(given: unknown): number[] {
  const shares = reading('shares', () => (Array.isArray(given) ? Array.from(given as unknown[]) : []))
  if (shares.length === 0) throw unexpected('shares', 'an array of numbers above 0, such as [0.9, 0.1],', given)
  const checked = shares.map((share, i) => {
    if (typeof share === 'number' && share > 0 && share <= 1 + written) return share
    throw unexpected(`shares[${i}]`, 'a number above 0, up to 1,', share)
  })
  const sum = checked.reduce((sum, share) => sum + share, 0)
  if (sum > 1 + written) throw unexpected('shares', `numbers that sum to 1 at most, not to ${sum},`, given)
  return checked
}

/** The images of each part, out of all. */
function wholeSizes(count: number, shares: readonly number[]): number[] {
  const sizes = apportion(count, shares, zeros(shares))
  const empty = sizes.indexOf(0)
  if (empty < 0) return sizes
  const message = `A share of ${shares[empty]} of ${count} images is none (shares[${empty}]); take a larger one, or more images.`
  throw new CandlewickError('INVALID_ARGUMENT', message)
}

/** The images of each part, out of each class. */
function stratifiedSizes(labels: Labels, shares: readonly number[]): number[][] {
  const counts = countsOf(labels)
  const ahead = zeros(shares)
  return counts.map((count, label) => {
    const sizes = apportion(count, shares, ahead)
    const empty = count === 0 ? -1 : sizes.indexOf(0)
    if (empty < 0) return sizes
    const few = `Class ${label} has ${count} images, of which a share of ${shares[empty]} is none (shares[${empty}])`
    throw new CandlewickError('INVALID_ARGUMENT', `${few}; take a larger share, or split without stratify.`)
  })
}

/** None of each part, and of the images that come into no part. */
function zeros(shares: readonly number[]): number[] {
  return new Array(shares.length + 1).fill(0)
}

/**
 * Whole images for each share, by the largest remainder. Of equal remainders, the part is first that has been given least before in
 * comparison with its share, as `ahead` says, which then counts this as well.
 */
function apportion(count: number, shares: readonly number[], ahead: number[]): number[] {
  const sum = shares.reduce((sum, share) => sum + share, 0)
  const all = [...shares.map((share) => share / Math.max(sum, 1)), Math.max(1 - sum, 0)]
  const exact = all.map((share) => share * count)
  const noise = 1e-14 * (count + 100) // of float64: 0.9 * 15 and 0.1 * 15 leave the same
  const sizes = exact.map((size) => Math.floor(size + noise))
  const remainders = exact.map((size, part) => size - (sizes[part] as number))
  const isTie = (a: number, b: number) => Math.abs(a - b) <= 2 * noise
  const of = (numbers: readonly number[], part: number) => numbers[part] as number
  const order = all.map((_, part) => part)
  order.sort((a, b) => {
    const [first, second] = [of(remainders, a), of(remainders, b)]
    return isTie(first, second) ? of(ahead, a) - of(ahead, b) : second - first
  })
  const left = count - sizes.reduce((sum, size) => sum + size, 0)
  for (const part of order.slice(0, left)) sizes[part] = of(sizes, part) + 1
  for (const part of order) ahead[part] = of(ahead, part) + of(sizes, part) - of(exact, part)
  return sizes.slice(0, shares.length)
}

/** Goes through the images in their random order: each comes into the first part that still wants one of its class. */
function deal(
  order: Uint32Array,
  sizes: readonly (readonly number[])[],
  partCount: number,
  classOf: Labels | undefined,
): Uint32Array[] {
  const wanted = sizes.map((row) => [...row])
  const parts = Array.from({ length: partCount }, (_, part) => {
    const size = sizes.reduce((sum, row) => sum + (row[part] as number), 0)
    return allocate(`the numbers of ${size} images`, Uint32Array, size)
  })
  const filled: number[] = new Array(partCount).fill(0)
  for (const image of order) {
    const own = wanted[classOf ? (classOf[image] as number) : 0] as number[]
    const part = own.findIndex((left) => left > 0)
    const list = parts[part]
    if (!list) continue // into none
    own[part] = (own[part] as number) - 1
    list[filled[part] as number] = image
    filled[part] = (filled[part] as number) + 1
  }
  return parts
}
