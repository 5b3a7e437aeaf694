import { fashionMnist } from '../data/fashion-mnist.js'
import { lenet } from '../network/lenet.js'
import { evaluate } from '../training/evaluate.js'
import { jsonLine } from './json.js'
import { checkReadable } from './parameters-file.js'
import { dataFolder, parse, placement, runOptions, UsageError } from './usage.js'

export async function evaluateCommand(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, runOptions, 1)
  const [file] = positionals
  if (!file) {
    throw new UsageError('Expected a file of parameters, as in: candlewick evaluate net.safetensors.')
  }
  const place = placement(values)
  await checkReadable(file)
  const { test } = await fashionMnist({ ...dataFolder(values), signal })
  const net = lenet()
  await net.initialize({ inputShape: test.imageShape, ...place })
  await net.loadParameters(file)
  const { loss, accuracy, count } = await evaluate(net, test, { signal })
  if (values.json) console.log(jsonLine({ loss, accuracy, count }))
  else console.log(`${count} images, loss ${loss.toFixed(4)}, acc ${accuracy.toFixed(3)}`)
  if (!Number.isFinite(loss)) {
    throw new Error(`The loss is ${loss}: the parameters of ${file} are of a training that diverged.`)
  }
}
