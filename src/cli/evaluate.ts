import type { Dataset } from '../data/dataset.js'
import { CandlewickError } from '../errors.js'
import { jsonLine } from '../json.js'
import { Sequential } from '../network/sequential.js'
import { evaluate } from '../training/evaluate.js'
import { type ScoredLoss, softmaxCrossEntropy } from '../training/losses.js'
import type { MetricsOf } from '../training/metrics.js'
import { command } from './command.js'
import { confusionLines } from './confusion-lines.js'
import { dataOf, isOfPictures, loadPictures, remarks } from './data.js'
import { UsageError, type Values } from './options.js'
import { checkReadable, loadPreset } from './parameters-file.js'
import { presets } from './presets.js'
import { placement, runOptions } from './shared-options.js'

export const evaluateCommand = command({
  argument: 'FILE [DATA]',
  most: 2,
  help: 'loss and accuracy of a saved network on test images, or on a folder of pictures; of pictures, class by class',
  options: runOptions,
  async run(options, [file, name], signal) {
    if (!file) {
      throw new UsageError('Expected a file of parameters, as in: candlewick evaluate net.safetensors.')
    }
    placement(options) // which checks it before the data is loaded
    await checkReadable(file)
    if (name !== undefined && (await isOfPictures(name))) return evaluatePictures(file, name, options, signal)
    const { test } = await dataOf(name, options, signal)
    const { net, loss: by } = await networkOf(file, (test as Dataset).imageShape, options)
    const { loss, accuracy, count } = await evaluate(net, test as Dataset, { signal, loss: by })
    if (options.json) console.log(jsonLine({ loss, accuracy, count }))
    else console.log(`${count} images, loss ${loss.toFixed(4)}, acc ${accuracy.toFixed(3)}`)
    requireFinite(file, loss)
  },
})

/** The network that a file tells of, and the loss that it was trained by; of a preset, if one is named or the file tells of none. */
async function networkOf(
  file: string,
  inputShape: readonly [number, number, number],
  options: Values<typeof runOptions>,
) {
  const place = placement(options)
  const known = options.preset === undefined ? await knownNetwork(file, place) : undefined
  const { preset = 'lenet' } = options
  if (known) return { net: known, loss: (known.trained?.loss ?? softmaxCrossEntropy()) as ScoredLoss }
  const net = presets[preset].network()
  await net.initialize({ inputShape, ...place })
  await loadPreset(net, preset, file)
  return { net, loss: presets[preset].loss }
}

async function knownNetwork(file: string, place: ReturnType<typeof placement>): Promise<Sequential | undefined> {
  try {
    return await Sequential.load(file, place)
  } catch (error) {
    if (error instanceof CandlewickError && error.message.includes('tells of no network')) return undefined
    throw error
  }
}

/** A network with what it knows of pictures, on all pictures of a folder that has a folder for each class, or on those to test by. */
async function evaluatePictures(file: string, dir: string, options: Values<typeof runOptions>, signal: AbortSignal) {
  const net = await Sequential.load(file, placement(options))
  const [channels, ...size] = net.shapeOfImages() as [1 | 3, number, number]
  const classes = net.classes && { classes: net.classes }
  const folder = await loadPictures(dir, { size, channels, ...net.pictures, ...classes }, signal)
  const metrics = { perClass: true, confusion: true } as const
  const loss = (net.trained?.loss ?? softmaxCrossEntropy()) as ScoredLoss
  const found = await evaluate(net, folder.test ?? folder.train, { signal, metrics, loss })
  if (options.json) console.log(jsonLine({ ...found, classes: folder.classes, broken: folder.broken }))
  else {
    console.log(`${found.count} pictures, loss ${found.loss.toFixed(4)}, acc ${found.accuracy.toFixed(3)}`)
    for (const line of [
      ...confusionLines(folder.classes, found.metrics as MetricsOf<typeof metrics>),
      ...remarks(folder),
    ])
      console.log(line)
  }
  requireFinite(file, found.loss)
}

function requireFinite(file: string, loss: number): void {
  if (Number.isFinite(loss)) return
  throw new Error(`The loss is ${loss}: the parameters of ${file} are of a training that diverged.`)
}
