import { formatShape } from '../format.js'
import type { LayerDescription } from '../network/description.js'

/** Layers, output shapes and counts, a line each, and the totals; what training leaves alone has a column where there is any. */
export function layerTable(layers: readonly LayerDescription[]): string[] {
  const { parameterCount, nonTrainableCount } = totals(layers)
  const hasOthers = nonTrainableCount > 0
  const row = (name: string, shape: string, counts: readonly (number | string)[]) =>
    [name, shape, ...counts.slice(0, hasOthers ? 2 : 1)].map(String)
  const rows = [
    row('layer', 'output shape', ['parameters', 'not trained']),
    ...layers.map((layer) => {
      return row(layer.name, formatShape(layer.outputShape ?? []), [
        layer.parameterCount ?? 0,
        layer.nonTrainableCount ?? 0,
      ])
    }),
    row('total', '', [parameterCount, nonTrainableCount]),
  ]
  const least = [8, 16, 10, 11]
  const widths = least.map((width, column) => Math.max(width, ...rows.map((cells) => cells[column]?.length ?? 0)))
  return rows.map((cells) => {
    return cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' ')
  })
}

/** The counts of all layers together. */
export function totals(layers: readonly LayerDescription[]): { parameterCount: number; nonTrainableCount: number } {
  const sum = (count: (layer: LayerDescription) => number | null) =>
    layers.reduce((sum, layer) => sum + (count(layer) ?? 0), 0)
  return {
    parameterCount: sum((layer) => layer.parameterCount),
    nonTrainableCount: sum((layer) => layer.nonTrainableCount),
  }
}
