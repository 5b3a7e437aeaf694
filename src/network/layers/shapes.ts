import { expectOptions } from '../../expect.js'
import { type Layer, made, type NoOptions } from './layer.js'

/** The mean of each channel: (C, H, W) to (C). */
export function globalAvgPool2d(options: NoOptions = {}): Layer {
  expectOptions('globalAvgPool2d', options, {})
  return made({ kind: 'globalAvgPool2d' })
}

/** All values in one row: (C, H, W) to (C · H · W), row by row. {@link dense} does so by itself. */
export function flatten(options: NoOptions = {}): Layer {
  expectOptions('flatten', options, {})
  return made({ kind: 'flatten' })
}
