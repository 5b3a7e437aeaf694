import { callAddon, describeLayers, layerNames } from '../addon.js'
import type { Layer } from './layers.js'

/** A layer in its place; shapes and counts are null until the input shape is known. */
export interface LayerDescription {
  /** `conv0`, `pool0`, `dense0`: the kind and a count per kind. What a residual block holds is counted with it. */
  name: string
  /** For one image: (1, channels, height, width) or (1, units). */
  outputShape: number[] | null
  /** Numbers that training moves: weights and biases together. */
  parameterCount: number | null
  /** Numbers that it does not: what batchNorm has seen of its inputs, and all of a layer with `trainable: false`. */
  nonTrainableCount: number | null
}

/** A layer in its place, of images whose shape is known. */
export type DescribedLayer = { [K in keyof LayerDescription]: NonNullable<LayerDescription[K]> }

/** What layers are for images of (channels, height, width). */
export function describe(layers: readonly Layer[], inputShape: number[]): DescribedLayer[] {
  const reports: [string, number[], number, number][] = JSON.parse(
    callAddon(() => describeLayers(JSON.stringify(layers), inputShape)),
  )
  return reports.map(([name, outputShape, parameterCount, nonTrainableCount]) => {
    return { name, outputShape, parameterCount, nonTrainableCount }
  })
}

/** What can be said of layers before the shape of the images is known. */
export function namesOf(layers: readonly Layer[]): LayerDescription[] {
  const names = callAddon(() => layerNames(JSON.stringify(layers)))
  return names.map((name) => ({ name, outputShape: null, parameterCount: null, nonTrainableCount: null }))
}
