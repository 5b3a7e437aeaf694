import { fashionMnist } from '../data/fashion-mnist.js'
import { lenet } from '../lenet.js'
import { evaluate } from '../training.js'
import { settings } from './train.js'
import { device, integer, parse, UsageError } from './usage.js'

export async function evaluateCommand(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(
    args,
    {
      threads: { type: 'string' },
      device: { type: 'string' },
      data: { type: 'string' },
      json: { type: 'boolean' },
    },
    1,
  )
  const [file] = positionals
  if (file === undefined)
    throw new UsageError('Expected the file that holds the parameters, as in: candlewick evaluate net.safetensors.')
  const place = settings(device(values.device), integer('threads', values.threads, 1, 1024))

  const { test } = await fashionMnist(values.data === undefined ? {} : { dir: values.data })
  const net = lenet()
  await net.initialize({ inputShape: test.imageShape, ...place })
  await net.loadParameters(file)
  const { loss, accuracy, count } = await evaluate(net, test, { signal })
  if (values.json) console.log(JSON.stringify({ loss, accuracy, count }))
  else console.log(`${count} images, loss ${loss.toFixed(4)}, acc ${accuracy.toFixed(3)}`)
}
