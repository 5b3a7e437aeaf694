import { type Dataset, expectImages } from '../data/dataset.js'
import { expectOptions, expectSignal } from '../expect.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import { abortable } from './abortable.js'

export interface Evaluation {
  /** Mean loss of an image, in nats. */
  loss: number
  /** Share of images answered correctly. */
  accuracy: number
  correct: number
  count: number
}

/** Loss and accuracy on a dataset; changes nothing. */
export async function evaluate(
  net: Sequential,
  dataset: Dataset,
  options: { signal?: AbortSignal } = {},
): Promise<Evaluation> {
  expectNetwork(net)
  const { native, start, length, imageShape } = expectImages('dataset', dataset)
  const { signal: given } = expectOptions<typeof options>('evaluate', options, { signal: true })
  const signal = expectSignal(given)
  const engine = await net.engine(imageShape)
  const report = await abortable(signal, undefined, (p) => engine.evaluate(native, start, start + length, p))
  return { loss: report.loss, accuracy: report.correct / report.count, correct: report.correct, count: report.count }
}
