import { type Dataset, expectImages } from '../data/dataset.js'
import { CandlewickError, codeOf } from '../errors.js'
import { type Checks, expectAbove0, expectInteger, expectSettings, unexpected } from '../expect.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import { expectSeed } from '../random.js'
import type { Run, StepFigures } from './callbacks.js'
import { fit } from './fit.js'
import type { Loss } from './losses.js'
import { type Optimizer, sgd } from './optimizers.js'
import { forgetLearned, hasLearned } from './steps.js'

/** Options of {@link findLearningRate}. */
export interface FindLearningRateOptions {
  /** Images of a step. */
  batchSize: number
  /** What is made small; {@link softmaxCrossEntropy} by default. */
  loss?: Loss | undefined
  /** Whose learning rate is sought, whatever it says of it; {@link sgd} by default. */
  optimizer?: Optimizer
  /** The first rate, above 0; 1e-7 by default. */
  from?: number
  /** The last, greater than the first; 10 by default. */
  to?: number
  /** Steps between them, at least 10; 100 by default. */
  steps?: number
  /** 0 to 2³² - 1: decides the order of the images; the network's by default, whose own orders stay as they are. */
  seed?: number | undefined
}

/** What becomes of the loss while the learning rate grows: the numbers of each step, up to where the loss went up and away. */
export interface LearningRateRange {
  /**
   * Where the smoothed loss falls the most steeply before its least, in the logarithm of the rate, over a tenth of the steps; where it
   * never falls, a tenth of its least's. Of a loss that only trembles, it says nothing: look at `smoothed`, and take more steps.
   */
  suggestion: number
  /** Of each step. */
  rates: number[]
  /** Of a batch, before the step at this rate. */
  losses: number[]
  /** A moving average of them that forgets exponentially, 0.98 of itself in each step, without its pull to 0. */
  smoothed: number[]
}

const checks: Checks<FindLearningRateOptions> = {
  batchSize: (value) => expectInteger('batchSize', value, 1),
  loss: (value) => value as Loss | undefined, // fit checks it
  optimizer: (value = sgd({ learningRate: 1 })) => expectObject(value),
  from: (value = 1e-7) => expectAbove0('from', value),
  to: (value = 10) => expectAbove0('to', value),
  steps: (value = 100) => expectInteger('steps', value, 10),
  seed: (value) => (value === undefined ? undefined : expectSeed(value)),
}

/** The kinds and their settings, fit checks. */
function expectObject(value: unknown): Optimizer {
  if (typeof value === 'object' && value !== null) return value as Optimizer
  throw unexpected('optimizer', 'an optimizer, such as sgd({ learningRate: 0.1 }),', value)
}

/**
 * Smith's range test (2015), as in fastai: trains with a learning rate that grows exponentially from step to step, until the smoothed
 * loss is four times its least. The network's parameters are as before at the end, also after an error; an optimiser begins anew.
 */
export async function findLearningRate(
  net: Sequential,
  train: Dataset,
  options: FindLearningRateOptions,
): Promise<LearningRateRange> {
  expectNetwork(net)
  const images = expectImages('train', train)
  const { from, to, steps, loss, optimizer, batchSize, seed } = expectSettings('findLearningRate', options, checks)
  if (!(from < to)) throw unexpected('to', `a number above from, ${from},`, to)
  net.requireIdle()
  const engine = await net.engine(images.imageShape) // there may be no parameters before the first images
  const isFresh = !hasLearned(engine)
  const before = await net.parameters()
  const range: Omit<LearningRateRange, 'suggestion'> = { rates: [], losses: [], smoothed: [] }
  let average = 0
  const onStep = ({ step, loss, learningRate }: StepFigures, run: Run) => {
    if (!Number.isFinite(loss)) return run.stop()
    average = forgetting * average + (1 - forgetting) * loss
    const smoothed = average / (1 - forgetting ** step)
    range.rates.push(learningRate)
    range.losses.push(loss)
    range.smoothed.push(smoothed)
    if (step === steps || smoothed > tooMuch * Math.min(...range.smoothed)) run.stop()
  }
  const growing = (step: number) => from * (to / from) ** Math.min(step / (steps - 1), 1)
  const epochs = Math.ceil(steps / Math.ceil(images.length / batchSize))
  const told = { ...optimizer, learningRate: growing, averaging: undefined }
  const settings = {
    epochs,
    batchSize,
    optimizer: told,
    seed: seed ?? net.seed,
    onStep,
    ...(loss === undefined ? {} : { loss }),
  }
  try {
    for await (const _ of fit(net, images, settings));
  } catch (error) {
    if (codeOf(error) !== 'DIVERGED') throw error // that is where the range ends
  } finally {
    await net.setParameters(before)
    if (isFresh) forgetLearned(engine)
  }
  return { suggestion: suggest(range.rates, range.smoothed), ...range }
}

const forgetting = 0.98
const tooMuch = 4 // times the least loss

function suggest(rates: readonly number[], smoothed: readonly number[]): number {
  if (smoothed.length === 0) {
    const message =
      'The loss is not finite before the first step; begin with other parameters, or look at the images and targets.'
    throw new CandlewickError('INVALID_ARGUMENT', message)
  }
  // The average of the first losses is as noisy as they are, and what follows its least is noise again, or a flight.
  const first = Math.floor(rates.length / 10)
  const least = smoothed.indexOf(Math.min(...smoothed.slice(first)), first)
  const half = Math.max(Math.round(rates.length / 20), 1) // of the steps that a slope is of
  const slope = (i: number) => {
    const [from, to] = [Math.max(i - half, 0), Math.min(i + half, rates.length - 1)]
    const fall = (smoothed[to] as number) - (smoothed[from] as number)
    return from < to ? fall / Math.log((rates[to] as number) / (rates[from] as number)) : 0
  }
  let [steepest, at] = [0, -1]
  for (let i = first; i <= least; i++) if (slope(i) < steepest) [steepest, at] = [slope(i), i]
  return at >= 0 ? (rates[at] as number) : (rates[least] as number) / 10
}
