import { expectOptions, expectPair } from '../../expect.js'
import { type Layer, made, type Size } from './layer.js'

export interface Pool2dOptions {
  /** Height and width of a window. */
  poolSize: Size
  /** Steps between windows; the pool size by default. */
  strides?: Size
}

/** The largest value of each window: (C, H, W) to (C, H', W') with H' = ⌊(H - poolSize) / strides⌋ + 1. */
export function maxPool2d(options: Pool2dOptions): Layer {
  return pool('maxPool2d', options)
}

/** The mean of each window; shapes as for {@link maxPool2d}. */
export function avgPool2d(options: Pool2dOptions): Layer {
  return pool('avgPool2d', options)
}

function pool(kind: string, options: Pool2dOptions): Layer {
  const given = expectOptions<Pool2dOptions>(kind, options, { poolSize: true, strides: true })
  const poolSize = expectPair('poolSize', given.poolSize, 1)
  const strides = given.strides === undefined ? poolSize : expectPair('strides', given.strides, 1)
  return made({ kind, poolSize, strides })
}
