import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { callAddon, checkSavePath } from '../addon.js'
import type { Dataset } from '../data/dataset.js'
import { CandlewickError, messageOf } from '../errors.js'
import { formatDevice, formatEpoch, formatShape } from '../format.js'
import { jsonLine } from '../json.js'
import { defaultEngine } from '../network/engines.js'
import { Sequential } from '../network/sequential.js'
import { progressBar } from '../progress-bar.js'
import { mostSeed } from '../random.js'
import { csvLog } from '../training/callbacks/csv-log.js'
import { earlyStopping } from '../training/callbacks/early-stopping.js'
import { tensorBoard } from '../training/callbacks/tensor-board.js'
import type { Callback } from '../training/callbacks.js'
import { type EpochProgress, fit } from '../training/fit.js'
import { augmentationNames, augmentationsOf } from './augmentations.js'
import { command } from './command.js'
import { configText } from './config.js'
import { type Data, dataOf, isOfPictures, pictureOptions, remarks } from './data.js'
import { decimal, flag, integer, option, text, UsageError, type Values } from './options.js'
import { brokenParameter, checkReadable, loadPreset } from './parameters-file.js'
import { ofPictures, presets } from './presets.js'
import { progressNote } from './progress-note.js'
import { highestOf, optimizerOf, recipeOptions, share } from './recipe.js'
import { placement, runOptions } from './shared-options.js'

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
  augment: option(
    'NAMES',
    text,
    `change images at random: ${augmentationNames.join(', ')}, as in flip,crop:4; or none`,
  ),
  net: option('FILE.json', text, "layers, as JSON.stringify(net) writes them, in place of the preset's"),
  ...recipeOptions,
  ...pictureOptions,
  normalize: flag('let the network take mean and deviation of each channel off its images'),
  'no-shuffle': flag('take the images in the order of the file'),
  save: option('FILE.safetensors', text, 'write the parameters after the last epoch'),
  checkpoint: option('FILE', text, 'write all to go on from, every 30 seconds, epoch and at Ctrl-C'),
  resume: option('FILE', text, 'go on from a checkpoint, and write further ones there'),
  validation: option(
    'SHARE',
    share,
    'keep such a share of the training images out, and evaluate on them; of pictures 0.1, unless their folder has some',
  ),
  'early-stop': option(
    'N',
    integer(1),
    'end after so many epochs in a row without a better loss of these, or of the test',
  ),
  tensorboard: option('DIR', text, 'write events for TensorBoard'),
  csv: option('FILE.csv', text, "write each epoch's figures"),
  config: option('FILE.json', text, 'options by these words, without --; the command line has the last word'),
  'print-config': flag('print the options as such a file, and do nothing'),
  ...runOptions,
}

type TrainOptions = ReturnType<typeof completed>

export const trainCommand = command({
  argument: '[DATA]',
  help: 'train on a folder of pictures, one for each class, or of IDX files, or on fashion-mnist, and print each epoch',
  options: trainOptions,
  finishedUnread: 'save',
  async run(options, [name], signal) {
    const all = completed(options, name !== undefined && (await isOfPictures(name)))
    if (options['print-config']) console.log(configText({ ...options, ...presetOf(all) }))
    else await train(all, name, signal)
  },
})

/** What is left out is as the preset has it, or as suits pictures. */
function completed(options: Values<typeof trainOptions>, isPictures: boolean) {
  const name = options.preset ?? (isPictures ? 'modern' : 'lenet')
  const preset = isPictures ? { ...presets[name], ...ofPictures } : presets[name]
  const { epochs = preset.epochs, 'batch-size': batchSize = preset.batchSize, checkpoint = options.resume } = options
  const optimizer = optimizerOf(options, preset, options['learning-rate'])
  const learningRate = highestOf(optimizer)
  if (options.resume !== undefined && options.init !== undefined) {
    throw new UsageError('Expected --init or --resume, but received both.')
  }
  const named = options.augment
  const augment = named === undefined ? undefined : named === 'none' ? [] : augmentationsOf(named)
  return {
    ...options,
    preset: name,
    recipe: preset.recipe,
    epochs,
    batchSize,
    learningRate,
    checkpoint,
    optimizer,
    augment,
  }
}

/** What the preset has decided, in the words of the options. */
function presetOf({ preset, epochs, batchSize, learningRate }: TrainOptions) {
  return { preset, epochs, 'batch-size': batchSize, 'learning-rate': learningRate }
}

/** The network that trains: that of a file, or the preset's for so many classes. */
async function networkOf({ net, preset }: TrainOptions, classes: number): Promise<Sequential> {
  if (net === undefined) return presets[preset].network({ classes })
  const text = await readFile(net, 'utf8').catch((error) => {
    const reason = error.code === 'ENOENT' ? 'there is no such file' : messageOf(error)
    throw new UsageError(`Cannot read a network from ${net}: ${reason}.`)
  })
  return Sequential.fromJSON(text)
}

async function train(options: TrainOptions, name: string | undefined, signal: AbortSignal): Promise<void> {
  const { init, save, seed, json, checkpoint, resume } = options
  const placed = placement(options)
  for (const file of [init, resume]) if (file !== undefined) await checkReadable(file)
  const checkFiles = (net: Sequential, inputShape: readonly number[]) => {
    for (const file of [save, checkpoint]) if (file !== undefined) checkFile(file, net, inputShape)
  }
  // What can be told of before the data is loaded is.
  const expected = await networkOf(options, 10)
  if (options.net === undefined && name === undefined) checkFiles(expected, [1, 28, 28])
  const loaded = await dataOf(name, options, signal)
  const classes = Math.max(classesOf(loaded.train), name === undefined ? 10 : 2)
  const net = options.net === undefined ? await networkOf(options, classes) : expected
  checkFiles(net, loaded.train.imageShape)
  const data = heldOut(loaded, options)
  const place = { inputShape: data.train.imageShape, ...placed }
  await net.initialize(seed === undefined ? place : { ...place, seed })
  if (init !== undefined) await loadPreset(net, options.preset, init)
  if (!json) announce(net, options, data)
  await trainEpochs(net, data, options, signal)
  // The last step, which no loss tells of, may have gone wrong.
  const broken = await brokenParameter(net)
  if (broken !== undefined) throw diverged(`${broken} holds values that are not finite`, options)
  if (save !== undefined) await net.saveParameters(save)
}

/** Trains, and prints the figures of each epoch. */
async function trainEpochs(
  net: Sequential,
  { train, validation, test }: Data,
  options: TrainOptions,
  signal: AbortSignal,
) {
  const { epochs, batchSize, learningRate, optimizer, augment, recipe, json, checkpoint, resume } = options
  const { loss } = presets[options.preset]
  const bar = json ? undefined : progressBar('training', process.stdout)
  const settings = {
    ...recipe(learningRate),
    optimizer,
    ...(augment !== undefined && { augment }),
    ...(validation !== undefined && { validation }),
    epochs,
    batchSize,
    loss,
    ...(test !== undefined && { test }),
    shuffle: !options['no-shuffle'],
    ...(options.normalize && { normalize: 'mean-deviation' as const }),
    signal,
    ...(checkpoint !== undefined && { checkpoint, checkpointEvery: { seconds: 30 } }),
    ...(resume !== undefined && { resume }),
    callbacks: callbacksOf(options),
    onProgress(progress: EpochProgress) {
      const { epoch, images, total } = progress
      bar?.update((epoch - 1) * total + images, epochs * total, progressNote(progress, epochs))
    },
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

function callbacksOf({ 'early-stop': patience, tensorboard, csv, resume }: TrainOptions): Callback[] {
  return [
    patience !== undefined && earlyStopping({ patience }),
    tensorboard !== undefined && tensorBoard(tensorboard),
    csv !== undefined && csvLog(csv, { append: resume !== undefined }),
  ].filter((callback) => callback !== false)
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
function announce(
  net: Sequential,
  { seed, engine, resume }: TrainOptions,
  { train, pictures, validation }: Data,
): void {
  if (pictures) {
    const { classes } = pictures
    const held = typeof validation === 'object' ? `, ${validation.length} to validate by` : ''
    console.log(`${train.length} pictures of ${classes.length} classes (${few(classes)})${held}`)
    for (const line of remarks(pictures)) console.log(line)
  }
  const by = engine === defaultEngine ? '' : ` by the engine ${engine}`
  console.log(`training on ${formatDevice(net.device)}${by}`)
  if (resume !== undefined) console.log(`going on from ${resume}`)
  else if (seed === undefined) console.log(`seed ${net.seed}`)
  for (const { name, outputShape } of net.layers) console.log(`${name} output shape: ${formatShape(outputShape ?? [])}`)
}

/** The first of some names. */
function few(names: readonly string[]): string {
  return names.length > 5 ? `${names.slice(0, 5).join(', ')}, ...` : names.join(', ')
}

/** Classes that labels tell apart. */
function classesOf(train: Dataset): number {
  return train.classes?.length ?? train.counts().length
}

/** The data, with a share of it held out to validate by: of pictures the same for each seed, so that they can be looked at again. */
function heldOut(data: Data, { validation }: TrainOptions): Data {
  const { pictures, test } = data
  if (data.validation && validation !== undefined) {
    throw new UsageError('Expected no --validation: the folder has pictures to validate by.')
  }
  if (!pictures || data.validation) return { ...data, ...(validation !== undefined && { validation }) }
  const share = validation ?? (test ? 0 : ofPictures.validation)
  if (share === 0) return data
  try {
    const [train, kept] = data.train.split([1 - share, share], { stratify: true, seed: 0 })
    return { ...data, train, validation: kept }
  } catch (error) {
    throw error instanceof CandlewickError && error.code === 'INVALID_ARGUMENT' ? tooFew(data.train, share) : error
  }
}

/** In the command's words, and the class's name. */
function tooFew(train: Dataset, share: number): CandlewickError {
  const counts = train.counts()
  const least = Math.min(...counts.filter((count) => count > 0)) // a class of none asks for nothing
  const message =
    `${train.classes?.[counts.indexOf(least)]} has ${least} pictures, too few to keep a share of ${share} of them out to ` +
    'validate by; put more there, or take a ' +
    `${share > 0.5 ? 'smaller' : 'larger'} --validation, or 0 for none.`
  return new CandlewickError('INVALID_ARGUMENT', message)
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
function checkFile(path: string, net: Sequential, inputShape: readonly number[]): void {
  const counts = net
    .describe(inputShape)
    .map(({ parameterCount, nonTrainableCount }) => (parameterCount ?? 0) + (nonTrainableCount ?? 0))
  const bytes = 4 * counts.reduce((sum, count) => sum + count, 0)
  callAddon(() => checkSavePath(path, bytes))
}
