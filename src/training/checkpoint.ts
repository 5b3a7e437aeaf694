/** Checkpoints of a training: what the loop has to know to go on from one, when one is written, and what one is refused for. */

import { performance } from 'node:perf_hooks'
import { clearTimeout, setTimeout } from 'node:timers'
import { callAddonAsync, type Engine, readRun, type SavedRun, type Sums } from '../addon.js'
import type { Dataset } from '../data/dataset.js'
import { numbersOf } from '../data/places.js'
import { CandlewickError } from '../errors.js'
import { expectAbove0, expectInteger, expectOptions, expectPath, unexpected } from '../expect.js'
import type { DrawsState } from '../random.js'

/** How often a checkpoint is written: after so many seconds, steps, or epochs. One of them. */
export interface CheckpointEvery {
  /** Above 0. */
  seconds?: number
  /** At least 1. */
  steps?: number
  /** At least 1. */
  epochs?: number
}

/** The images of a training, as far as a checkpoint tells them from others. */
interface DataMark {
  readonly images: number
  readonly shape: readonly number[]
  /** CRC-32 of pixels, labels and targets. */
  readonly checksum: number
}

/** What is the same from the beginning of a training to its end. */
export interface RunMark {
  /** What `fit` was given: those to train on, with what is split off for the validation. */
  readonly data: DataMark
  /** The share that is split off; null for none. */
  readonly validation: number | null
  readonly batchSize: number
  readonly shuffle: boolean
  /** The kind of optimiser. */
  readonly optimizer: string
}

/** Where a training is. */
export interface RunPlace {
  /** The epoch in which it is, from 1. */
  readonly epoch: number
  /** Of the images of the epoch that are done. */
  readonly sums: Sums
  /** Seconds that the epoch has taken so far. */
  readonly seconds: number
  /** Steps that the optimiser has made. */
  readonly steps: number
  /** Those that it will have made at the end of the last epoch, as its schedule has it. */
  readonly totalSteps: number
  /** What is drawn for the epoch and all that follow. */
  readonly draws: DrawsState
  /** The network's. */
  readonly seed: number
  /** What is drawn for the network's own epochs, where those of the training have a seed of their own. */
  readonly ownDraws: DrawsState | null
  /** By which what is for the validation was split off. */
  readonly splitSeed: number
  /** What callbacks remember, and the figures so far: plain JSON. */
  readonly callbacks: unknown
}

interface RunFile extends RunMark, RunPlace {
  readonly version: 1
}

/** A checkpoint that was read, found whole, and of the same training. */
export interface Resumed extends RunPlace {
  readonly saved: SavedRun
}

/** The mark of a training; reads all its images, off the event loop. */
export async function markOf(dataset: Dataset, rest: Omit<RunMark, 'data'>): Promise<RunMark> {
  const { native, length, imageShape } = dataset
  const checksum = await callAddonAsync(() => native.checksum(numbersOf(dataset)))
  return { data: { images: length, shape: imageShape, checksum }, ...rest }
}

/** Writes a checkpoint of a training that is in this place, all or nothing. */
export async function writeRun(
  path: string,
  engine: Engine,
  network: string,
  mark: RunMark,
  place: RunPlace,
): Promise<void> {
  const file: RunFile = { version: 1, ...mark, ...place }
  await callAddonAsync(() => engine.saveRun(path, network, JSON.stringify(file)))
}

/** Reads a checkpoint that goes on with a training of this network and this mark. */
export async function resumeRun(path: string, network: string, mark: RunMark): Promise<Resumed> {
  const saved = await callAddonAsync(() => readRun(path))
  const refuse = (what: string, expected: unknown, found: unknown) => {
    const [theirs, ours] = [expected, found].map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
    const message = `The checkpoint ${path} is of a training with ${what} ${theirs}, but this one has ${ours}; resume with the same.`
    return new CandlewickError('CHECKPOINT_INVALID', message)
  }
  const [theirNetwork, ownNetwork] = [structureOf(saved.network), structureOf(network)]
  if (theirNetwork !== ownNetwork) throw refuse('the network', short(theirNetwork), short(ownNetwork))
  const file: RunFile | null = JSON.parse(saved.run)
  if (file?.version !== 1) {
    const message = `The checkpoint ${path} is of another version of candlewick (form ${file?.version}, not 1); resume with that.`
    throw new CandlewickError('CHECKPOINT_INVALID', message)
  }
  const [theirs, ours] = [file.data, mark.data].map(describeData)
  if (theirs !== ours) throw refuse('the data of', theirs, ours)
  const [theirShare, ourShare] = [file, mark].map(({ validation }) => validation ?? 'none')
  if (theirShare !== ourShare) throw refuse('a validation share of', theirShare, ourShare)
  for (const [key, what] of [
    ['batchSize', 'batchSize'],
    ['shuffle', 'shuffle'],
    ['optimizer', 'the optimizer'],
  ] as const) {
    if (file[key] !== mark[key]) throw refuse(what, file[key], mark[key])
  }
  return { ...file, saved }
}

function describeData({ images, shape, checksum }: DataMark): string {
  return `${images} images of shape (${shape.join(', ')}) and checksum ${checksum.toString(16).padStart(8, '0')}`
}

/** What of a network decides whether a training of it can go on: not what it knows of its data, nor how it was trained. */
function structureOf(network: string): string {
  const { classes: _, pictures: __, trained: ___, ...structure } = JSON.parse(network)
  return JSON.stringify(structure)
}

const mostShown = 300 // characters of a network

function short(network: string): string {
  return network.length > mostShown ? `${network.slice(0, mostShown)}...` : network
}

/** `checkpoint`, `checkpointEvery` and `resume`, as `fit` takes them. */
export function checkCheckpoint(given: {
  checkpoint?: unknown
  checkpointEvery?: unknown
  resume?: unknown
}): CheckpointSettings {
  const { checkpoint, checkpointEvery, resume } = given
  if (checkpoint === undefined && checkpointEvery !== undefined) {
    throw unexpected('checkpoint', 'the path of a file, which checkpointEvery is for,', checkpoint)
  }
  return {
    path: checkpoint === undefined ? undefined : expectPath('checkpoint', checkpoint),
    every: checkpointEvery === undefined ? { epochs: 1 } : checkEvery(checkpointEvery),
    resume: resume === undefined ? undefined : expectPath('resume', resume),
  }
}

export interface CheckpointSettings {
  readonly path: string | undefined
  readonly every: CheckpointEvery
  readonly resume: string | undefined
}

function checkEvery(value: unknown): CheckpointEvery {
  const keys = { seconds: true, steps: true, epochs: true } as const
  const given = expectOptions<CheckpointEvery>('checkpointEvery', value, keys)
  const { seconds, steps, epochs } = given
  if ([seconds, steps, epochs].filter((one) => one !== undefined).length !== 1) {
    throw unexpected('checkpointEvery', 'one of seconds, steps and epochs, such as { seconds: 30 },', value)
  }
  if (seconds !== undefined) return { seconds: expectAbove0('checkpointEvery.seconds', seconds) }
  if (steps !== undefined) return { steps: expectInteger('checkpointEvery.steps', steps, 1) }
  return { epochs: expectInteger('checkpointEvery.epochs', epochs, 1) }
}

const msPerSecond = 1000
const early = 5 // ms: timers may strike before their time
const longestTimer = 2 ** 31 - 1 // ms

/** Says when the next checkpoint is due. */
export interface CheckpointClock {
  /** Images of the epoch up to which to train, after so many. */
  until(count: number): number
  /** Told how to pause the epoch, when seconds have passed. */
  begin(pause: () => void): void
  /** Whether one is due in the midst of an epoch. */
  isDue(count: number): boolean
  /** Whether one is due after an epoch. */
  isDueAfter(epoch: number): boolean
  /** One was written. */
  written(): void
  stop(): void
}

export function checkpointClock({ path, every }: CheckpointSettings, batchSize: number): CheckpointClock {
  const { seconds = Number.POSITIVE_INFINITY, steps = Number.POSITIVE_INFINITY, epochs } = every
  const isOn = path !== undefined
  const images = isOn ? steps * batchSize : Number.POSITIVE_INFINITY
  let last = performance.now()
  let timer: NodeJS.Timeout | undefined
  const left = () => last + seconds * msPerSecond - performance.now()
  const stop = () => clearTimeout(timer)
  return {
    until: (count) => (Math.floor(count / images) + 1) * images,
    begin(pause) {
      stop()
      const wait = left()
      if (isOn && wait <= longestTimer) timer = setTimeout(pause, Math.max(0, wait))
    },
    isDue: (count) => isOn && (left() <= early || (count > 0 && count % images === 0)),
    isDueAfter: (epoch) => isOn && (epochs === undefined ? true : epoch % epochs === 0),
    written() {
      last = performance.now()
    },
    stop,
  }
}
