import { expectBoolean, type Unchecked, unexpected } from '../../expect.js'
import checkActivation, { type Activation } from '../activations.js'
import checkInitializer, { type Initializer } from '../initializers.js'

/** A number for both directions, or [vertical, horizontal]. */
export type Size = number | readonly [number, number]

/** A layer as data, from one of the functions of this folder or made by hand. */
export interface Layer {
  /** The name of the layer's function, whose options the others are. Pairs are [vertical, horizontal]. */
  readonly kind: string
  /** Of the output. */
  readonly channels?: number
  /** Height and width of the kernel. */
  readonly kernelSize?: readonly [number, number]
  /** Height and width of a window. */
  readonly poolSize?: readonly [number, number]
  /** Steps between windows. */
  readonly strides?: readonly [number, number]
  /** Rows and columns on each side. */
  readonly padding?: readonly [number, number] | 'same'
  /** Nothing for 1. */
  readonly groups?: number
  /** Length of the output. */
  readonly units?: number
  /** Nothing for true. */
  readonly useBias?: boolean
  /** Nothing for the network's. */
  readonly kernelInit?: Initializer
  /** Nothing for zeros. */
  readonly biasInit?: Initializer
  /** Weight of a batch in the running mean and variance. */
  readonly momentum?: number
  /** Added to the variance. */
  readonly epsilon?: number
  /** Share of the values that become 0. */
  readonly rate?: number
  /** Nothing for true. */
  readonly trainable?: boolean
  /** The one way through a residual block. */
  readonly body?: readonly Layer[]
  /** Nothing for the input itself. */
  readonly shortcut?: readonly Layer[]
  /** Nothing for none. */
  readonly activation?: Activation
}

/** What a layer takes that takes no options. */
export type NoOptions = Record<string, never>

/** Layers that need no second look, as nobody can change them, with how many residual blocks deep they are. */
const depths = new WeakMap<object, number>()

/** A layer whose options were checked and belong to nobody else. */
export function made(layer: Layer, depth = 0): Layer {
  for (const value of Object.values(layer)) Object.freeze(value)
  depths.set(Object.freeze(layer), depth)
  return layer
}

/** How many residual blocks deep a layer is that was {@link made}; undefined for another. */
export function depthOf(layer: unknown): number | undefined {
  return depths.get(layer as object)
}

/** The activation at the end of a layer, if it has one. */
export function withActivation(value: unknown): { activation?: Activation } {
  return value === undefined ? {} : { activation: checkActivation(value) }
}

type Parameters = Pick<Layer, 'useBias' | 'trainable' | 'kernelInit' | 'biasInit'>

/** What a convolution and a dense layer are told of their parameters. */
export function withParameters(given: Unchecked<Parameters>): Parameters {
  const { useBias = true, trainable = true, kernelInit, biasInit } = given
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
export function unless<T extends object>(byDefault: unknown, option: T): Partial<T> {
  return Object.values(option).every((value) => value === byDefault) ? {} : option
}
