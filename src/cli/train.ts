import { callAddon, checkSavePath } from '../addon.js'
import { fashionMnist } from '../data/fashion-mnist.js'
import { formatDevice, formatEpoch, formatShape } from '../format.js'
import { lenet } from '../network/lenet.js'
import type { Sequential } from '../network/sequential.js'
import { progressBar } from '../progress-bar.js'
import { mostSeed } from '../random.js'
import { type EpochProgress, fit } from '../training/fit.js'
import { sgd } from '../training/optimizers.js'
import { jsonLine } from './json.js'
import { brokenParameter, checkReadable } from './parameters-file.js'
import { dataFolder, integer, number, parse, placement, runOptions } from './usage.js'

export async function trainCommand(args: string[], signal: AbortSignal): Promise<void> {
  const options = trainOptions(args)
  if (options.init !== undefined) await checkReadable(options.init)
  if (options.save !== undefined) checkFile(options.save)
  const { train, test } = await fashionMnist({ ...options.data, signal })
  const net = lenet()
  await net.initialize({ inputShape: train.imageShape, ...options.place, ...options.seed })
  if (options.init !== undefined) await net.loadParameters(options.init)
  if (!options.json) announce(net, options)

  const { epochs, batchSize, learningRate, shuffle } = options
  const bar = options.json ? undefined : progressBar('training', process.stdout)
  const onProgress = ({ epoch, images, total }: EpochProgress) =>
    bar?.update((epoch - 1) * total + images, epochs * total)
  const optimizer = sgd({ learningRate })
  try {
    for await (const epoch of fit(net, train, { epochs, batchSize, optimizer, test, shuffle, signal, onProgress })) {
      bar?.stop()
      if (options.json) console.log(jsonLine({ ...epoch, seed: net.seed }))
      else console.log(formatEpoch(epoch))
      if (!Number.isFinite(epoch.loss)) throw diverged(`the loss of epoch ${epoch.epoch} is ${epoch.loss}`, options)
    }
  } finally {
    bar?.stop()
  }
  // The last step, which no loss tells of, may have gone wrong.
  const broken = await brokenParameter(net)
  if (broken !== undefined) throw diverged(`${broken} holds values that are not finite`, options)
  if (options.save !== undefined) await net.saveParameters(options.save)
}

type TrainOptions = ReturnType<typeof trainOptions>

function trainOptions(args: string[]) {
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
  const seed = integer('seed', values.seed, 0, mostSeed)
  return {
    epochs: integer('epochs', values.epochs, 1) ?? 5,
    batchSize: integer('batch-size', values['batch-size'], 1) ?? 256,
    learningRate: number('learning-rate', values['learning-rate']) ?? 0.9,
    seed: seed === undefined ? {} : { seed },
    init: values.init,
    shuffle: !values['no-shuffle'],
    save: values.save,
    place: placement(values),
    data: dataFolder(values),
    json: values.json ?? false,
  }
}

/** The first lines, as d2l prints them, with the seed if nobody chose it. */
function announce(net: Sequential, { seed }: TrainOptions): void {
  console.log(`training on ${formatDevice(net.device)}`)
  if (seed.seed === undefined) console.log(`seed ${net.seed}`)
  for (const { name, outputShape } of net.layers) console.log(`${name} output shape: ${formatShape(outputShape ?? [])}`)
}

/** What ends a training that has come to numbers of no use. */
function diverged(what: string, { learningRate, init, save }: TrainOptions): Error {
  const advice = [
    learningRate > 0 && `a --learning-rate below ${learningRate}`,
    init !== undefined && `other parameters than those of ${init}`,
  ].filter(Boolean)
  const unsaved = save === undefined ? '' : `; nothing was saved to ${save}`
  return new Error(`The training diverged: ${what}; try ${advice.join(' or ')}${unsaved}.`)
}

/** Better before the training than after it. */
function checkFile(path: string): void {
  const counts = lenet()
    .describe([1, 28, 28])
    .map(({ parameterCount }) => parameterCount ?? 0)
  const bytes = 4 * counts.reduce((sum, count) => sum + count, 0)
  callAddon(() => checkSavePath(path, bytes))
}
