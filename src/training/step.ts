import { checkImages, checkLabels, type Images } from '../data/images.js'
import { fed } from '../feed.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import optimizerForEngine, { type Optimizer } from './optimizers.js'

/**
 * One optimiser step on a batch of your own; the loss and the number of correct answers are those before the step. Labels are
 * checked while the event loop waits, some milliseconds for a million in a typed array; images are copied piece by piece.
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
  const settings = optimizerForEngine(optimizer)
  net.requireIdle()
  const engine = await net.engine(checked.shape.slice(1))
  const { loss, correct } = await fed(checked, (feed) => engine.step(feed, checkedLabels, settings))
  return { loss, correct }
}
