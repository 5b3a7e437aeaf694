/** What a network makes its images uniform by, as a part of its input. */

import { expectAbove0, expectOptions, reading, unexpected } from '../expect.js'

/**
 * (x - mean) / deviation, channel by channel, of images as they count: of bytes as 0 to 1, of float32 as they are. What
 * `await dataset.statistics()` gives is one.
 */
export interface Normalization {
  /** A number for each channel. */
  readonly mean: readonly number[]
  /** The same, above 0. */
  readonly deviation: readonly number[]
}

const mostChannels = 2 ** 20

/** What was given, as it is now; whether it has as many numbers as images have channels, the engine says. */
export function checkNormalization(name: string, value: unknown): Normalization {
  const given = expectOptions<Normalization>(name, value, { mean: true, deviation: true })
  const mean = numbers(`${name}.mean`, given.mean).map((one, i) => expectMean(`${name}.mean[${i}]`, one))
  const deviation = numbers(`${name}.deviation`, given.deviation).map((one, i) =>
    expectDeviation(`${name}.deviation[${i}]`, one),
  )
  if (mean.length !== deviation.length) {
    throw unexpected(`${name}.deviation`, `${mean.length} numbers, as many as of mean,`, given.deviation)
  }
  return frozen({ mean, deviation })
}

/** Of images whose mean and deviation these are; a channel that is the same all over is not divided. */
export function normalizationBy(name: string, { mean, deviation }: Normalization): Normalization {
  const divisors = deviation.map((one) => (one >= 0 && !hasReciprocal(one) ? 1 : one))
  return checkNormalization(name, { mean, deviation: divisors })
}

/** As the engine wrote it. */
export function readNormalization(json: string | null | undefined): Normalization | undefined {
  return json === null || json === undefined ? undefined : frozen(JSON.parse(json))
}

/** In an order of its own, so that the same numbers are the same text. */
export function writeNormalization({ mean, deviation }: Normalization): string {
  return JSON.stringify({ mean, deviation })
}

function frozen({ mean, deviation }: Normalization): Normalization {
  return Object.freeze({ mean: Object.freeze([...mean]), deviation: Object.freeze([...deviation]) })
}

function numbers(name: string, value: unknown): unknown[] {
  const copy = reading(name, () =>
    Array.isArray(value) && value.length > 0 && value.length <= mostChannels ? Array.from(value) : undefined,
  )
  if (!copy) throw unexpected(name, 'an array of numbers, one for each channel,', value)
  return copy
}

function expectMean(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(Math.fround(value))) return value + 0
  throw unexpected(name, 'a number that is finite in float32', value)
}

/** The engine multiplies by its reciprocal. */
function expectDeviation(name: string, value: unknown): number {
  if (hasReciprocal(value)) return expectAbove0(name, value)
  throw unexpected(name, 'a number above 0 whose reciprocal is finite in float32', value)
}

function hasReciprocal(value: unknown): boolean {
  return typeof value === 'number' && value > 0 && Number.isFinite(Math.fround(1 / Math.fround(value)))
}
