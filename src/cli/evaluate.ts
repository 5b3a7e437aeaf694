import { fashionMnist } from '../data/fashion-mnist.js'
import { jsonLine } from '../json.js'
import { evaluate } from '../training/evaluate.js'
import { command } from './command.js'
import { UsageError } from './options.js'
import { checkReadable, loadPreset } from './parameters-file.js'
import { presets } from './presets.js'
import { dataFolder, placement, runOptions } from './shared-options.js'

export const evaluateCommand = command({
  argument: 'FILE',
  help: 'loss and accuracy of saved parameters on the test images',
  options: runOptions,
  async run(options, file, signal) {
    if (!file) {
      throw new UsageError('Expected a file of parameters, as in: candlewick evaluate net.safetensors.')
    }
    const place = placement(options)
    await checkReadable(file)
    const { test } = await fashionMnist({ ...dataFolder(options), signal })
    const preset = presets[options.preset]
    const net = preset.network()
    await net.initialize({ inputShape: test.imageShape, ...place })
    await loadPreset(net, options.preset, file)
    const { loss, accuracy, count } = await evaluate(net, test, { signal, loss: preset.loss })
    if (options.json) console.log(jsonLine({ loss, accuracy, count }))
    else console.log(`${count} images, loss ${loss.toFixed(4)}, acc ${accuracy.toFixed(3)}`)
    if (!Number.isFinite(loss)) {
      throw new Error(`The loss is ${loss}: the parameters of ${file} are of a training that diverged.`)
    }
  },
})
