import { command } from './command.js'
import { jsonLine } from './json.js'
import { layerTable, totals } from './layer-table.js'
import { presets } from './presets.js'
import { json, preset } from './shared-options.js'

export const summaryCommand = command({
  help: 'layers, output shapes and parameter counts',
  options: { preset, json },
  async run({ preset, json }) {
    const layers = presets[preset].network().describe([1, 28, 28])
    if (json) {
      for (const layer of layers) console.log(jsonLine(layer))
      const { parameterCount, nonTrainableCount } = totals(layers)
      console.log(jsonLine({ totalParameterCount: parameterCount, totalNonTrainableCount: nonTrainableCount }))
      return
    }
    for (const line of layerTable(layers)) console.log(line)
  },
})
