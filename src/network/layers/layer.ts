import checkActivation, { type Activation } from '../activations.js'

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
  readonly padding?: readonly [number, number]
  readonly units?: number
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
