import { expectInteger, expectOptions, expectPair } from '../../expect.js'
import type { Activation } from '../activations.js'
import { type Layer, made, type Size, withActivation } from './layer.js'

export interface Conv2dOptions {
  /** Channels of the output. */
  channels: number
  /** Height and width of the kernel. */
  kernelSize: Size
  /** Steps between windows; 1 by default. */
  strides?: Size
  /** Rows and columns of zeros on each side; 0 by default. */
  padding?: Size
  /** None by default. */
  activation?: Activation
}

/** Convolution: images (C, H, W) to (channels, H', W') with H' = ⌊(H + 2 padding - kernelSize) / strides⌋ + 1. */
export function conv2d(options: Conv2dOptions): Layer {
  const keys = { channels: true, kernelSize: true, strides: true, padding: true, activation: true } as const
  const given = expectOptions<Conv2dOptions>('conv2d', options, keys)
  const { channels, kernelSize, strides = 1, padding = 0 } = given
  return made({
    kind: 'conv2d',
    channels: expectInteger('channels', channels, 1),
    kernelSize: expectPair('kernelSize', kernelSize, 1),
    strides: expectPair('strides', strides, 1),
    padding: expectPair('padding', padding, 0),
    ...withActivation(given.activation),
  })
}
