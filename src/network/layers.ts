import { CandlewickError } from '../errors.js'
import {
  expectInteger,
  expectOptions,
  expectPair,
  type Keys,
  readOnce,
  refuseUnknownKeys,
  unexpected,
} from '../expect.js'
import checkActivation, { type Activation } from './activations.js'

/** A number for both directions, or [vertical, horizontal]. */
export type Size = number | readonly [number, number]

/** A layer as data, from one of the functions below or made by hand. */
export interface Layer {
  /** The name of the layer's function, whose options the others are. Pairs are [vertical, horizontal]. */
  readonly kind: string
  readonly channels?: number
  readonly kernelSize?: readonly [number, number]
  readonly poolSize?: readonly [number, number]
  readonly strides?: readonly [number, number]
  readonly padding?: readonly [number, number]
  readonly units?: number
  /** Nothing for none. */
  readonly activation?: Activation
}

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
  const keys = { channels: true, kernelSize: true, strides: true, padding: true, activation: true } as const
  const given = expectOptions<Conv2dOptions>('conv2d', options, keys)
  const { channels, kernelSize, strides = 1, padding = 0 } = given
  return made({
    kind: 'conv2d',
    channels: expectInteger('channels', channels, 1),
    kernelSize: expectPair('kernelSize', kernelSize, 1),
    strides: expectPair('strides', strides, 1),
    padding: expectPair('padding', padding, 0),
    ...activation(given.activation),
  })
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
  const given = expectOptions<DenseOptions>('dense', options, { units: true, activation: true })
  return made({ kind: 'dense', units: expectInteger('units', given.units, 1), ...activation(given.activation) })
}

/** Layers that need no second look, as nobody can change them. */
const checked = new WeakSet<object>()

function made(layer: Layer): Layer {
  for (const value of Object.values(layer)) Object.freeze(value)
  checked.add(Object.freeze(layer))
  return layer
}

/** What makes a layer of each kind. */
const layers = new Map<unknown, (options: never) => Layer>([
  ['conv2d', conv2d],
  ['maxPool2d', maxPool2d],
  ['avgPool2d', avgPool2d],
  ['dense', dense],
])

const layerKeys: Keys<Layer> = {
  kind: true,
  channels: true,
  kernelSize: true,
  poolSize: true,
  strides: true,
  padding: true,
  units: true,
  activation: true,
}

/**
 * A layer that may not come from the functions above, checked as they check it.
 * The default export, as src/index.ts passes on all names of this file.
 * @internal
 */
export default function checkLayer(name: string, layer: unknown): Layer {
  if (checked.has(layer as object)) return layer as Layer
  const { kind, ...options } = readOnce<Layer>(name, layer, layerKeys)
  const make = layers.get(kind)
  if (!make) throw unexpected(name, 'a layer, such as dense({ units: 10 }),', layer)
  refuseUnknownKeys(name, layer, layerKeys)
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  try {
    return make(Object.fromEntries(given) as never)
  } catch (error) {
    throw error instanceof CandlewickError ? new CandlewickError(error.code, `${name}: ${error.message}`) : error
  }
}

function pool(kind: string, options: Pool2dOptions): Layer {
  const given = expectOptions<Pool2dOptions>(kind, options, { poolSize: true, strides: true })
  const poolSize = expectPair('poolSize', given.poolSize, 1)
  const strides = given.strides === undefined ? poolSize : expectPair('strides', given.strides, 1)
  return made({ kind, poolSize, strides })
}

function activation(value: unknown): { activation?: Activation } {
  return value === undefined ? {} : { activation: checkActivation(value) }
}
