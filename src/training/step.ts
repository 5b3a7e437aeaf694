import { checkImages, checkLabels, type Images } from '../data/images.js'
import { fed } from '../feed.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import checkOptimizer, { type Optimizer } from './optimizers.js'
import schedules from './schedules.js'
import { countSteps, stepsOf } from './steps.js'

/**
 * One optimiser step on a batch of your own; the loss and the number of correct answers are those before the step. Labels are
 * checked while the event loop waits, some milliseconds for a million in a typed array; images are copied piece by piece. A
 * schedule has to know its `steps` itself.
 */
export async function step(
  net: Sequential,
  images: Images,
  labels: ArrayLike<number>,
  optimizer: Optimizer,
): Promise<{ loss: number; correct: number }> {
  expectNetwork(net)
  const checked = checkImages(images)
  const checkedLabels = checkLabels(labels, checked.shape[0])
  const { settings, id, learningRate } = checkOptimizer(optimizer)
  net.requireIdle()
  const engine = await net.engine(checked.shape.slice(1))
  const { rates } = schedules.ratesOf(learningRate, { made: stepsOf(engine, id), count: 1 })
  const takeBack = countSteps(engine, id, 1) // the next call may come before this one's turn
  try {
    const { loss, correct } = await fed(checked, (feed) => engine.step(feed, checkedLabels, { settings, id, ...rates }))
    return { loss, correct }
  } catch (error) {
    takeBack()
    throw error
  }
}
