import { formatShape } from '../format.js'
import { lenet } from '../network/lenet.js'
import { jsonLine } from './json.js'
import { parse } from './usage.js'

export async function summaryCommand(args: string[]): Promise<void> {
  const { values } = parse(args, { json: { type: 'boolean' } })
  const layers = lenet().describe([1, 28, 28])
  const total = layers.reduce((sum, layer) => sum + (layer.parameterCount ?? 0), 0)
  if (values.json) {
    for (const layer of layers) console.log(jsonLine(layer))
    console.log(jsonLine({ totalParameterCount: total }))
    return
  }
  const row = (name: string, shape: string, count: number | string) =>
    console.log(`${name.padEnd(8)} ${shape.padEnd(16)} ${String(count).padStart(10)}`)
  row('layer', 'output shape', 'parameters')
  for (const layer of layers) row(layer.name, formatShape(layer.outputShape ?? []), layer.parameterCount ?? 0)
  row('total', '', total)
}
