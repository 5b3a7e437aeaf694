import { existsSync } from 'node:fs'
import { callAddon, checkSavePath } from '../addon.js'
import { fashionMnist } from '../data/fashion-mnist.js'
import type { TrainAndTest } from '../data/idx-dataset.js'
import { CandlewickError } from '../errors.js'
import { formatDevice, formatEpoch, formatShape } from '../format.js'
import { jsonLine } from '../json.js'
import { defaultEngine } from '../network/engines.js'
import type { Sequential } from '../network/sequential.js'
import { progressBar } from '../progress-bar.js'
import { mostSeed } from '../random.js'
import { type EpochProgress, fit } from '../training/fit.js'
import { command } from './command.js'
import { decimal, flag, integer, option, text, UsageError, type Values } from './options.js'
import { brokenParameter, checkReadable, loadPreset } from './parameters-file.js'
import { type Preset, presets } from './presets.js'
import { dataFolder, placement, runOptions } from './shared-options.js'

const { lenet, modern } = presets

const trainOptions = {
  epochs: option(String(lenet.epochs), integer(1), `times through the training images; modern: ${modern.epochs}`),
  'batch-size': option(String(lenet.batchSize), integer(1), `images of a step; modern: ${modern.batchSize}`),
  'learning-rate': option(
    String(lenet.learningRate),
    decimal,
    `modern: ${modern.learningRate}, the highest of a cycle`,
  ),
  seed: option('N', integer(0, mostSeed), 'decides all that is random; drawn, and printed, by default'),
  init: option('FILE.safetensors', text, 'start from these parameters'),
  'no-shuffle': flag('take the images in the order of the file'),
  save: option('FILE.safetensors', text, 'write the parameters after the last epoch'),
  checkpoint: option('FILE.safetensors', text, 'write all to go on from, every 30 seconds, epoch and at Ctrl-C'),
  resume: option('FILE.safetensors', text, 'go on from a checkpoint, and write further ones there'),
  ...runOptions,
}

type TrainOptions = ReturnType<typeof completed>

export const trainCommand = command({
  help: 'train and print the figures of each epoch',
  options: trainOptions,
  finishedUnread: 'save',
  run: (options, _, signal) => train(completed(options), signal),
})

/** What is left out is as the preset has it. */
function completed(options: Values<typeof trainOptions>) {
  const preset = presets[options.preset]
  const { epochs = preset.epochs, 'batch-size': batchSize = preset.batchSize } = options
  const { 'learning-rate': learningRate = preset.learningRate, checkpoint = options.resume } = options
  if (options.resume !== undefined && options.init !== undefined) {
    throw new UsageError('Expected --init or --resume, but received both.')
  }
  return { ...options, epochs, batchSize, learningRate, checkpoint }
}

async function train(options: TrainOptions, signal: AbortSignal): Promise<void> {
  const { init, save, seed, json, checkpoint, resume } = options
  const placed = placement(options)
  for (const file of [init, resume]) if (file !== undefined) await checkReadable(file)
  const preset = presets[options.preset]
  for (const file of [save, checkpoint]) if (file !== undefined) checkFile(file, preset)
  const data = await fashionMnist({ ...dataFolder(options), signal })
  const net = preset.network()
  const place = { inputShape: data.train.imageShape, ...placed }
  await net.initialize(seed === undefined ? place : { ...place, seed })
  if (init !== undefined) await loadPreset(net, options.preset, init)
  if (!json) announce(net, options)
  await trainEpochs(net, data, options, signal)
  // The last step, which no loss tells of, may have gone wrong.
  const broken = await brokenParameter(net)
  if (broken !== undefined) throw diverged(`${broken} holds values that are not finite`, options)
  if (save !== undefined) await net.saveParameters(save)
}

/** Trains, and prints the figures of each epoch. */
async function trainEpochs(net: Sequential, { train, test }: TrainAndTest, options: TrainOptions, signal: AbortSignal) {
  const { epochs, batchSize, learningRate, json, checkpoint, resume } = options
  const { loss, recipe } = presets[options.preset]
  const bar = json ? undefined : progressBar('training', process.stdout)
  const settings = {
    ...recipe(learningRate),
    epochs,
    batchSize,
    loss,
    test,
    shuffle: !options['no-shuffle'],
    signal,
    ...(checkpoint !== undefined && { checkpoint, checkpointEvery: { seconds: 30 } }),
    ...(resume !== undefined && { resume }),
    onProgress: ({ epoch, images, total }: EpochProgress) => bar?.update((epoch - 1) * total + images, epochs * total),
  }
  try {
    for await (const epoch of fit(net, train, settings)) {
      bar?.stop()
      if (json) console.log(jsonLine({ ...epoch, seed: net.seed }))
      else console.log(formatEpoch(epoch))
    }
  } catch (error) {
    bar?.stop()
    if (signal.aborted && checkpoint !== undefined && existsSync(checkpoint))
      console.error(`Go on with --resume ${checkpoint}.`)
    throw isDivergence(error) ? withAdvice(error, options) : error
  } finally {
    bar?.stop()
  }
}

function isDivergence(error: unknown): error is CandlewickError {
  return error instanceof CandlewickError && error.code === 'DIVERGED'
}

/** What the command has to add to the library's words. */
function withAdvice(error: CandlewickError, { init, save, checkpoint }: TrainOptions): Error {
  const others = init === undefined ? '' : `, or other parameters than those of ${init}`
  const unsaved = save === undefined ? '' : `; nothing was saved to ${save}`
  const last = checkpoint === undefined ? '' : `; the last checkpoint is ${checkpoint}`
  return new Error(`${error.message.replace(/\.$/, '')}${others}${unsaved}${last}.`)
}

/** The first lines, as d2l prints them, with the seed if nobody chose it. */
function announce(net: Sequential, { seed, engine, resume }: TrainOptions): void {
  const by = engine === defaultEngine ? '' : ` by the engine ${engine}`
  console.log(`training on ${formatDevice(net.device)}${by}`)
  if (resume !== undefined) console.log(`going on from ${resume}`)
  else if (seed === undefined) console.log(`seed ${net.seed}`)
  for (const { name, outputShape } of net.layers) console.log(`${name} output shape: ${formatShape(outputShape ?? [])}`)
}

/** What ends a training that has come to numbers of no use. */
function diverged(what: string, options: TrainOptions): Error {
  const { init, save, learningRate } = options
  const advice = [
    learningRate > 0 && `a --learning-rate below ${learningRate}`,
    init !== undefined && `other parameters than those of ${init}`,
  ].filter(Boolean)
  const unsaved = save === undefined ? '' : `; nothing was saved to ${save}`
  return new Error(`The training diverged: ${what}; try ${advice.join(' or ')}${unsaved}.`)
}

/** Better before the training than after it. */
function checkFile(path: string, preset: Preset): void {
  const counts = preset
    .network()
    .describe([1, 28, 28])
    .map(({ parameterCount, nonTrainableCount }) => (parameterCount ?? 0) + (nonTrainableCount ?? 0))
  const bytes = 4 * counts.reduce((sum, count) => sum + count, 0)
  callAddon(() => checkSavePath(path, bytes))
}
