import { expectOptions, expectPair, type Keys, type Unchecked } from '../../expect.js'
import { type Layer, made, type Size } from './layer.js'

/** Options of {@link avgPool2d}. */
export interface Pool2dOptions {
  /** Height and width of a window. */
  poolSize: Size
  /** Steps between windows; the pool size by default. */
  strides?: Size
}

/** Options of {@link maxPool2d}. */
export interface MaxPool2dOptions extends Pool2dOptions {
  /** Rows and columns on each side that are never the largest: at most half a window; 0 by default. */
  padding?: Size
}

/** The largest value of each window: (C, H, W) to (C, H', W') with H' = ⌊(H + 2 padding - poolSize) / strides⌋ + 1. */
export function maxPool2d(options: MaxPool2dOptions): Layer {
  const keys: Keys<MaxPool2dOptions> = { poolSize: true, strides: true, padding: true }
  const { padding = 0, ...given } = expectOptions<MaxPool2dOptions>('maxPool2d', options, keys)
  const [vertical, horizontal] = expectPair('padding', padding, 0)
  const padded = vertical > 0 || horizontal > 0
  return made({ ...pool('maxPool2d', given), ...(padded ? { padding: [vertical, horizontal] } : {}) })
}

/** The mean of each window: (C, H, W) to (C, H', W') with H' = ⌊(H - poolSize) / strides⌋ + 1. */
export function avgPool2d(options: Pool2dOptions): Layer {
  return made(pool('avgPool2d', expectOptions<Pool2dOptions>('avgPool2d', options, { poolSize: true, strides: true })))
}

function pool(kind: string, given: Unchecked<Pool2dOptions>): Layer {
  const poolSize = expectPair('poolSize', given.poolSize, 1)
  const strides = given.strides === undefined ? poolSize : expectPair('strides', given.strides, 1)
  return { kind, poolSize, strides }
}
