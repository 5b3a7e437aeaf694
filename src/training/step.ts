import { checkImages, checkLabels, type Images } from '../data/images.js'
import { checkTargets, type Targets } from '../data/targets.js'
import { expectOptions } from '../expect.js'
import { fed } from '../feed.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import lossForEngine, {
  type Loss,
  type SigmoidCrossEntropy,
  type SoftmaxCrossEntropy,
  type TargetLoss,
} from './losses.js'
import checkOptimizer, { type Optimizer } from './optimizers.js'
import schedules from './schedules.js'
import { countSteps, stepsOf } from './steps.js'
import { meanLoss } from './sums.js'
import { noteImages, suspectEnd } from './suspicions.js'

/** What a step found before it moved the parameters. */
export interface StepOutcome {
  /** Mean loss of the batch. */
  loss: number
  /** Right answers; the mean squared error has none. */
  correct?: number
}

/**
 * One optimiser step on a batch of your own; the mean loss and the number of right answers are those before the step: of images for
 * softmax cross-entropy (the default), of outputs on their target's side of a half for sigmoid cross-entropy, and none for the mean
 * squared error. Labels and targets are checked and copied while the event loop waits, some milliseconds for a million in a typed
 * array; images are copied piece by piece. A schedule has to know its `steps` itself.
 */
export async function step(
  net: Sequential,
  images: Images,
  labels: ArrayLike<number>,
  optimizer: Optimizer,
  options?: { loss?: SoftmaxCrossEntropy },
): Promise<Required<StepOutcome>>
export async function step(
  net: Sequential,
  images: Images,
  targets: Targets,
  optimizer: Optimizer,
  options: { loss: SigmoidCrossEntropy },
): Promise<Required<StepOutcome>>
export async function step(
  net: Sequential,
  images: Images,
  targets: Targets,
  optimizer: Optimizer,
  options: { loss: TargetLoss },
): Promise<StepOutcome>
export async function step(
  net: Sequential,
  images: Images,
  labelsOrTargets: ArrayLike<number> | Targets,
  optimizer: Optimizer,
  options: { loss?: Loss } = {},
): Promise<StepOutcome> {
  expectNetwork(net)
  const checked = checkImages(images)
  const given = expectOptions<typeof options>('step', options, { loss: true })
  const { kind, settings: loss, takes } = lossForEngine(given.loss)
  const [count] = checked.shape
  const labels = takes === 'labels' ? checkLabels(labelsOrTargets, count) : new Uint32Array(0)
  const targets = takes === 'targets' ? checkTargets(labelsOrTargets, count).data : new Float32Array(0)
  const { settings, id, learningRate } = checkOptimizer(optimizer)
  net.requireIdle()
  const engine = await net.engine(checked.shape.slice(1))
  noteImages(engine, checked, net.normalization)
  if (kind !== 'meanSquaredError') suspectEnd(net.lastLayer)
  const { rates } = schedules.ratesOf(learningRate, { made: stepsOf(engine, id), count: 1 })
  const takeBack = countSteps(engine, id, 1) // the next call may come before this one's turn
  try {
    const told = { settings, id, ...rates }
    const sums = await fed(checked, (feed) => engine.step(feed, labels, targets, loss, told))
    return { loss: meanLoss(sums), ...(sums.answers > 0 && { correct: sums.correct }) }
  } catch (error) {
    takeBack()
    throw error
  }
}
