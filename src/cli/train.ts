import { checkSavePath } from '../../index.js'
import { fashionMnist } from '../data/fashion-mnist.js'
import { native } from '../errors.js'
import { lenet } from '../lenet.js'
import { formatDevice, formatEpoch, formatShape } from '../log.js'
import { sgd } from '../optimizers.js'
import { progressBar } from '../progress-bar.js'
import { mostSeed } from '../shuffle.js'
import { fit } from '../training.js'
import { dataFolder, integer, parse, placement, positive, runOptions } from './usage.js'

export async function trainCommand(args: string[], signal: AbortSignal): Promise<void> {
  const { values } = parse(args, {
    epochs: { type: 'string' },
    'batch-size': { type: 'string' },
    'learning-rate': { type: 'string' },
    seed: { type: 'string' },
    init: { type: 'string' },
    'no-shuffle': { type: 'boolean' },
    save: { type: 'string' },
    ...runOptions,
  })
  const epochs = integer('epochs', values.epochs, 1) ?? 5
  const batchSize = integer('batch-size', values['batch-size'], 1) ?? 256
  const learningRate = positive('learning-rate', values['learning-rate']) ?? 0.9
  const place = placement(values)
  const seed = integer('seed', values.seed, 0, mostSeed)

  if (values.save !== undefined) checkFile(values.save)
  const { train, test } = await fashionMnist({ ...dataFolder(values), signal })
  const net = lenet()
  await net.initialize({ inputShape: train.imageShape, ...place, ...(seed === undefined ? {} : { seed }) })
  if (values.init !== undefined) await net.loadParameters(values.init)
  if (!values.json) {
    console.log(`training on ${formatDevice(net.device)}`)
    for (const { name, outputShape } of net.layers)
      console.log(`${name} output shape: ${formatShape(outputShape ?? [])}`)
  }

  const bar = values.json ? undefined : progressBar('training', process.stdout)
  const optimizer = sgd({ learningRate })
  const epochOf = (n: number, images: number, total: number) => (n - 1) * total + images
  try {
    for await (const epoch of fit(net, train, {
      epochs,
      batchSize,
      optimizer,
      test,
      shuffle: !values['no-shuffle'],
      signal,
      onProgress: ({ epoch, images, total }) => bar?.update(epochOf(epoch, images, total), epochs * total),
    })) {
      bar?.stop()
      console.log(values.json ? JSON.stringify(epoch) : formatEpoch(epoch))
    }
  } finally {
    bar?.stop()
  }
  if (values.save !== undefined) await net.saveParameters(values.save)
}

/** Better before the training than after it. */
function checkFile(path: string): void {
  const counts = lenet()
    .describe([1, 28, 28])
    .map(({ parameterCount }) => parameterCount ?? 0)
  const bytes = 4 * counts.reduce((sum, count) => sum + count, 0)
  native(() => checkSavePath(path, bytes))
}
