import { formatShape } from '../format.js'
import { lenet } from '../network/lenet.js'
import { command } from './command.js'
import { jsonLine } from './json.js'
import { json } from './shared-options.js'

export const summaryCommand = command({
  help: 'layers, output shapes and parameter counts',
  options: { json },
  async run({ json }) {
    const layers = lenet().describe([1, 28, 28])
    const total = layers.reduce((sum, layer) => sum + (layer.parameterCount ?? 0), 0)
    if (json) {
      for (const layer of layers) console.log(jsonLine(layer))
      console.log(jsonLine({ totalParameterCount: total }))
      return
    }
    const row = (name: string, shape: string, count: number | string) =>
      console.log(`${name.padEnd(8)} ${shape.padEnd(16)} ${String(count).padStart(10)}`)
    row('layer', 'output shape', 'parameters')
    for (const layer of layers) row(layer.name, formatShape(layer.outputShape ?? []), layer.parameterCount ?? 0)
    row('total', '', total)
  },
})
