import type { LayerOptions } from '../index.js'
import { expectInteger, expectOneOf, expectOptions, expectPair, unexpected } from './expect.js'

/** A number for both directions, or [vertical, horizontal]. */
export type Size = number | readonly [number, number]

const activations = ['sigmoid', 'relu', 'tanh'] as const

/** The function at the end of a layer, applied to each value. */
export type Activation = (typeof activations)[number]

/** A layer as data; make one with {@link conv2d}, {@link maxPool2d}, {@link avgPool2d} or {@link dense}. */
export type Layer = Readonly<LayerOptions>

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

export interface Pool2dOptions {
  /** Height and width of a window. */
  poolSize: Size
  /** Steps between windows; the pool size by default. */
  strides?: Size
}

export interface DenseOptions {
  /** Length of the output. */
  units: number
  /** None by default. */
  activation?: Activation
}

/** Convolution: images (C, H, W) to (channels, H', W') with H' = ⌊(H + 2 padding - kernelSize) / strides⌋ + 1. */
export function conv2d(options: Conv2dOptions): Layer {
  expectOptions('conv2d', options, ['channels', 'kernelSize', 'strides', 'padding', 'activation'])
  return {
    kind: 'conv2d',
    channels: expectInteger('channels', options.channels, 1),
    kernelSize: expectPair('kernelSize', options.kernelSize, 1),
    strides: expectPair('strides', options.strides ?? 1, 1),
    padding: expectPair('padding', options.padding ?? 0, 0),
    ...activation(options.activation),
  }
}

/** The largest value of each window: (C, H, W) to (C, H', W') with H' = ⌊(H - poolSize) / strides⌋ + 1. */
export function maxPool2d(options: Pool2dOptions): Layer {
  return pool('maxPool2d', options)
}

/** The mean of each window; shapes as for {@link maxPool2d}. */
export function avgPool2d(options: Pool2dOptions): Layer {
  return pool('avgPool2d', options)
}

/** A fully connected layer; flattens what reaches it. */
export function dense(options: DenseOptions): Layer {
  expectOptions('dense', options, ['units', 'activation'])
  return { kind: 'dense', units: expectInteger('units', options.units, 1), ...activation(options.activation) }
}

/**
 * A layer that may not come from the functions above, checked as they check it.
 * @internal
 */
export function checkLayer(name: string, layer: Layer): Layer {
  const { kind, ...options } = (layer ?? {}) as { kind?: unknown }
  switch (kind) {
    case 'conv2d':
      return conv2d(options as Conv2dOptions)
    case 'maxPool2d':
    case 'avgPool2d':
      return pool(kind, options as Pool2dOptions)
    case 'dense':
      return dense(options as DenseOptions)
    default:
      throw unexpected(name, 'a layer, such as dense({ units: 10 }),', layer)
  }
}

function pool(kind: string, options: Pool2dOptions): Layer {
  expectOptions(kind, options, ['poolSize', 'strides'])
  const poolSize = expectPair('poolSize', options.poolSize, 1)
  const strides = options.strides === undefined ? poolSize : expectPair('strides', options.strides, 1)
  return { kind, poolSize, strides }
}

function activation(value: Activation | undefined): { activation?: Activation } {
  return value === undefined ? {} : { activation: expectOneOf('activation', value, activations) }
}
