import { expectBoolean, type Unchecked, unexpected } from '../../expect.js'
import checkActivation, { type Activation } from '../activations.js'
import checkInitializer, { type Initializer } from '../initializers.js'

/** A number for both directions, or [vertical, horizontal]. */
export type Size = number | readonly [number, number]

/** A layer as data, from one of the functions of this folder or made by hand. */
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
  /** Nothing for the network's. */
  readonly kernelInit?: Initializer
  /** Nothing for zeros. */
  readonly biasInit?: Initializer
  readonly momentum?: number
  readonly epsilon?: number
  readonly rate?: number
  /** Nothing for true. */
  readonly trainable?: boolean
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

type Parameters = Pick<Layer, 'useBias' | 'kernelInit' | 'biasInit'>

/** What a convolution and a dense layer are told of their parameters. */
export function withParameters({ useBias = true, kernelInit, biasInit }: Unchecked<Parameters>): Parameters {
  const hasBias = expectBoolean('useBias', useBias)
  if (!hasBias && biasInit !== undefined) throw unexpected('biasInit', 'nothing, as useBias is false,', biasInit)
  return {
    ...unless(true, { useBias: hasBias }),
    ...(kernelInit === undefined ? {} : { kernelInit: checkInitializer(kernelInit, 'kernelInit') }),
    ...(biasInit === undefined ? {} : { biasInit: checkInitializer(biasInit, 'biasInit') }),
  }
}

/** An option, unless it is what it is by default. */
export function unless<T extends object>(byDefault: unknown, option: T): Partial<T> {
  return Object.values(option).every((value) => value === byDefault) ? {} : option
}
