import { jsonLine } from '../json.js'
import { command } from './command.js'
import { presets } from './presets.js'
import { json, preset } from './shared-options.js'
import { totals } from './totals.js'

export const summaryCommand = command({
  help: 'layers, output shapes, parameter counts and multiply-adds',
  options: { preset, json },
  async run({ preset = 'lenet', json }) {
    const { network, batchSize } = presets[preset]
    const net = network()
    if (json) {
      const layers = net.describe([1, 28, 28])
      for (const layer of layers) console.log(jsonLine(layer))
      const { parameterCount, nonTrainableCount } = totals(layers)
      console.log(jsonLine({ totalParameterCount: parameterCount, totalNonTrainableCount: nonTrainableCount }))
      return
    }
    console.log(net.summary([1, 28, 28], { batchSize }))
  },
})
