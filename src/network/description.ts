import { callAddon, describeLayers, layerNames } from '../addon.js'
import type { Layer } from './layers.js'

/** A layer in its place; shapes and counts are null until the input shape is known. */
export interface LayerDescription {
  /** `conv0`, `pool0`, `dense0`: the kind and a count per kind. */
  name: string
  /** For one image: (1, channels, height, width) or (1, units). */
  outputShape: number[] | null
  /** Weights and biases together. */
  parameterCount: number | null
}

/** What layers are for images of (channels, height, width). */
export function describe(layers: readonly Layer[], inputShape: number[]): LayerDescription[] {
  const reports: [string, number[], number][] = JSON.parse(
    callAddon(() => describeLayers(JSON.stringify(layers), inputShape)),
  )
  return reports.map(([name, outputShape, parameterCount]) => ({ name, outputShape, parameterCount }))
}

/** What can be said of layers before the shape of the images is known. */
export function namesOf(layers: readonly Layer[]): LayerDescription[] {
  const names = callAddon(() => layerNames(JSON.stringify(layers)))
  return names.map((name) => ({ name, outputShape: null, parameterCount: null }))
}
