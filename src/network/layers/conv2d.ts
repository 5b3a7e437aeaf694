import { expectInteger, expectOptions, expectPair, type Keys } from '../../expect.js'
import type { Activation } from '../activations.js'
import type { Initializer } from '../initializers.js'
import { type Layer, made, type Size, unless, withActivation, withParameters } from './layer.js'

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  /** Channels of the output. */
  channels: number
  /** Height and width of the kernel. */
  kernelSize: Size
  /** Steps between windows; 1 by default. */
  strides?: Size
  /**
   * Rows and columns of zeros on each side; 0 by default. `'same'` for as many as keep the size, with strides of 1: kernelSize - 1
   * together, of which an odd one is below and on the right, as in PyTorch.
   */
  padding?: Size | 'same'
  /**
   * Parts of equal size that channels in and out are divided into, each convolved by itself; 1 by default. As many as there are
   * channels in make the convolution depthwise.
   */
  groups?: number
  /** Whether there is a bias; by default there is. */
  useBias?: boolean
  /** Whether steps move the layer's parameters; by default they do. */
  trainable?: boolean
  /** How the kernels begin; by default as the network's initialiser says. */
  kernelInit?: Initializer
  /** How the bias begins; by default at zero. */
  biasInit?: Initializer
  /** None by default. */
  activation?: Activation
}

const conv2dKeys: Keys<Conv2dOptions> = {
  channels: true,
  kernelSize: true,
  strides: true,
  padding: true,
  groups: true,
  useBias: true,
  trainable: true,
  kernelInit: true,
  biasInit: true,
  activation: true,
}

/** Convolution: images (C, H, W) to (channels, H', W') with H' = ⌊(H + 2 padding - kernelSize) / strides⌋ + 1. */
export function conv2d(options: Conv2dOptions): Layer {
  const given = expectOptions<Conv2dOptions>('conv2d', options, conv2dKeys)
  const { channels, kernelSize, strides = 1, padding = 0, groups = 1 } = given
  return made({
    kind: 'conv2d',
    channels: expectInteger('channels', channels, 1),
    kernelSize: expectPair('kernelSize', kernelSize, 1),
    strides: expectPair('strides', strides, 1),
    padding: padding === 'same' ? padding : expectPair('padding', padding, 0),
    ...unless(1, { groups: expectInteger('groups', groups, 1) }),
    ...withParameters(given),
    ...withActivation(given.activation),
  })
}
