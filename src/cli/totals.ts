import type { LayerDescription } from '../network/description.js'

/** The counts of all layers together. */
export function totals(layers: readonly LayerDescription[]): { parameterCount: number; nonTrainableCount: number } {
  const sum = (count: (layer: LayerDescription) => number | null) =>
    layers.reduce((sum, layer) => sum + (count(layer) ?? 0), 0)
  return {
    parameterCount: sum((layer) => layer.parameterCount),
    nonTrainableCount: sum((layer) => layer.nonTrainableCount),
  }
}
