/** A network as a table. */

import { expectInteger, expectSettings } from '../expect.js'
import { formatShape } from '../format.js'
import type { Layer } from './layers.js'
import { type OutlinedLayer, outline } from './outline.js'

/** Options of {@link Sequential.summary}. */
export interface SummaryOptions {
  /** Images of the step whose memory is estimated; 32 by default. */
  batchSize?: number
}

/** What {@link Sequential.summary} gives. */
export function summary(layers: readonly Layer[], inputShape: readonly number[], options: SummaryOptions): string {
  const { batchSize } = expectSettings<SummaryOptions>('summary', options, {
    batchSize: (value = 32) => expectInteger('batchSize', value, 1),
  })
  const outlined = outline(layers, inputShape)
  const { parameterCount, nonTrainableCount } = totals(outlined)
  const bytes = stepBytes(outlined, inputShape, batchSize)
  return [
    ...aligned(rows(outlined)),
    '',
    `${parameterCount} parameters that are trained, ${nonTrainableCount} that are not`,
    `a step with a batch of ${batchSize} holds about ${formatBytes(bytes)}`,
  ].join('\n')
}

/** The same table as Markdown. */
export function markdownTable(layers: readonly Layer[], inputShape: readonly number[]): string {
  const [head, ...others] = rows(outline(layers, inputShape)).map(
    (cells) => `| ${cells.map(withoutIndent).join(' | ')} |`,
  )
  return [head, '| --- | --- | ---: | ---: | ---: |', ...others].join('\n')
}

/** Markdown would take spaces away. */
function withoutIndent(cell: string): string {
  return cell.replace(/^ +/, (spaces) => '&nbsp;'.repeat(spaces.length))
}

function rows(layers: readonly OutlinedLayer[]): string[][] {
  const all = totals(layers)
  return [
    ['layer (type)', 'output shape', 'parameters', 'not trained', 'multiply-adds'],
    ...layers.map(({ name, kind, level, outputShape, ...counts }) => {
      return [`${'  '.repeat(level)}${name} (${kind})`, formatShape(outputShape), ...countsOf(counts)]
    }),
    ['total', '', ...countsOf(all)],
  ]
}

type Counts = Pick<OutlinedLayer, 'parameterCount' | 'nonTrainableCount' | 'multiplyAdds'>

function countsOf({ parameterCount, nonTrainableCount, multiplyAdds }: Counts): string[] {
  return [parameterCount, nonTrainableCount, multiplyAdds].map(String)
}

/** The counts of all layers together. What is in a block, the block has counted. */
function totals(layers: readonly OutlinedLayer[]): Counts {
  const outer = layers.filter(({ level }) => level === 0)
  const sum = (count: keyof Counts) => outer.reduce((sum, layer) => sum + layer[count], 0)
  return {
    parameterCount: sum('parameterCount'),
    nonTrainableCount: sum('nonTrainableCount'),
    multiplyAdds: sum('multiplyAdds'),
  }
}

function aligned(rows: readonly string[][]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? []
  const isText = (column: number) => column < 2
  return rows.map((cells) => {
    const padded = cells.map((cell, i) => (isText(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
    return padded.join('  ')
  })
}

/** Float32s of the parameters, of their gradients, and for each image of itself, all layers' outputs and their gradients. */
function stepBytes(layers: readonly OutlinedLayer[], inputShape: readonly number[], batchSize: number): number {
  const { parameterCount, nonTrainableCount } = totals(layers)
  const values = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)
  const outputs = layers.reduce((sum, { outputShape }) => sum + values(outputShape), 0)
  return 4 * (2 * parameterCount + nonTrainableCount + batchSize * (values(inputShape) + 2 * outputs))
}

function formatBytes(bytes: number): string {
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let [size, unit] = [bytes / 1024, 0]
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024
    unit++
  }
  return `${size.toFixed(1)} ${units[unit]}`
}
