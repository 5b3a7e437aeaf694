import type { MetricsReport } from '../addon.js'

/** Training on some images, and the learning rate of its last step. */
export interface Trained extends MetricsReport {
  learningRate: number
}

/**
 * Trains on images one step at a time, and adds up the figures. After each step it tells of it and of the images that are done, and
 * ends where that says `true`.
 */
export async function stepwise(
  order: Uint32Array,
  batchSize: number,
  train: (part: Uint32Array, done: number) => Promise<Trained>,
  tell: (step: Trained, images: number) => Promise<boolean>,
): Promise<Trained> {
  let [sum, correct, answers, count, learningRate] = [0, 0, 0, 0, 0]
  for (let start = 0; start < order.length; start += batchSize) {
    const step = await train(order.subarray(start, start + batchSize), start)
    sum += step.loss * step.count
    correct += step.correct
    answers += step.answers
    count += step.count
    learningRate = step.learningRate
    if (await tell(step, count)) break
  }
  return { loss: sum / count, correct, answers, count, learningRate }
}
