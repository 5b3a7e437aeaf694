import { CandlewickError } from '../errors.js'
import {
  expectBoolean,
  expectInteger,
  expectOptions,
  expectPair,
  type Keys,
  readOnce,
  refuseUnknownKeys,
  type Unchecked,
  unexpected,
} from '../expect.js'
import checkActivation, { type Activation } from './activations.js'
import checkInitializer, { type Initializer } from './initializers.js'

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
  readonly padding?: readonly [number, number] | 'same'
  /** Nothing for 1. */
  readonly groups?: number
  readonly units?: number
  /** Nothing for true. */
  readonly useBias?: boolean
  /** Nothing for true. */
  readonly trainable?: boolean
  /** Nothing for the network's. */
  readonly kernelInit?: Initializer
  /** Nothing for zeros. */
  readonly biasInit?: Initializer
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

export interface Pool2dOptions {
  /** Height and width of a window. */
  poolSize: Size
  /** Steps between windows; the pool size by default. */
  strides?: Size
}

export interface MaxPool2dOptions extends Pool2dOptions {
  /** Rows and columns on each side that are never the largest: at most half a window; 0 by default. */
  padding?: Size
}

export interface DenseOptions {
  /** Length of the output. */
  units: number
  /** Whether there is a bias; by default there is. */
  useBias?: boolean
  /** Whether steps move the layer's parameters; by default they do. */
  trainable?: boolean
  /** How the weights begin; by default as the network's initialiser says. */
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
    ...parameters(given),
    ...activation(given.activation),
  })
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

const denseKeys: Keys<DenseOptions> = {
  units: true,
  useBias: true,
  trainable: true,
  kernelInit: true,
  biasInit: true,
  activation: true,
}

/** A fully connected layer; flattens what reaches it. */
export function dense(options: DenseOptions): Layer {
  const given = expectOptions<DenseOptions>('dense', options, denseKeys)
  const units = expectInteger('units', given.units, 1)
  return made({ kind: 'dense', units, ...parameters(given), ...activation(given.activation) })
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
  groups: true,
  units: true,
  useBias: true,
  trainable: true,
  kernelInit: true,
  biasInit: true,
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

function pool(kind: string, given: Unchecked<Pool2dOptions>): Layer {
  const poolSize = expectPair('poolSize', given.poolSize, 1)
  const strides = given.strides === undefined ? poolSize : expectPair('strides', given.strides, 1)
  return { kind, poolSize, strides }
}

type Parameters = Pick<Layer, 'useBias' | 'trainable' | 'kernelInit' | 'biasInit'>

/** What a convolution and a dense layer are told of their parameters. */
function parameters({ useBias = true, trainable = true, kernelInit, biasInit }: Unchecked<Parameters>): Parameters {
  const hasBias = expectBoolean('useBias', useBias)
  if (!hasBias && biasInit !== undefined) throw unexpected('biasInit', 'nothing, as useBias is false,', biasInit)
  return {
    ...unless(true, { useBias: hasBias }),
    ...unless(true, { trainable: expectBoolean('trainable', trainable) }),
    ...(kernelInit === undefined ? {} : { kernelInit: checkInitializer(kernelInit, 'kernelInit') }),
    ...(biasInit === undefined ? {} : { biasInit: checkInitializer(biasInit, 'biasInit') }),
  }
}

/** An option, unless it is what it is by default. */
function unless<T extends object>(byDefault: unknown, option: T): Partial<T> {
  return Object.values(option).every((value) => value === byDefault) ? {} : option
}

function activation(value: unknown): { activation?: Activation } {
  return value === undefined ? {} : { activation: checkActivation(value) }
}
