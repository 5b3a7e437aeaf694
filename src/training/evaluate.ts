import { callAddonAsync, type Progress } from '../addon.js'
import { type Dataset, expectImages } from '../data/dataset.js'
import { expectOptions, expectSignal } from '../expect.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import { abortable } from './abortable.js'
import lossForEngine, { type Loss, type LossForEngine, type ScoredLoss } from './losses.js'
import { accuracyOf, meanLoss, noSums } from './sums.js'

export interface Evaluation {
  /** Mean loss of an image: of softmax cross-entropy in nats, and weighted as the loss weighs classes. */
  loss: number
  /**
   * Share of right answers: of images whose largest output is their label's or, of sigmoid cross-entropy, of outputs on their
   * target's side of a half. The mean squared error has none.
   */
  accuracy?: number
  /** Right answers. */
  correct?: number
  /** Images. */
  count: number
}

/** Of a loss whose answers are right or wrong. */
export interface ScoredEvaluation extends Evaluation {
  accuracy: number
  correct: number
}

interface EvaluateOptions<L extends Loss = Loss> {
  signal?: AbortSignal
  /** {@link softmaxCrossEntropy} by default; what the training was given is not known here. */
  loss?: L
}

/** Loss and accuracy on a dataset; changes nothing. */
export async function evaluate(
  net: Sequential,
  dataset: Dataset,
  options?: EvaluateOptions<ScoredLoss>,
): Promise<ScoredEvaluation>
export async function evaluate(net: Sequential, dataset: Dataset, options: EvaluateOptions): Promise<Evaluation>
export async function evaluate(net: Sequential, dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation> {
  expectNetwork(net)
  const images = expectImages('dataset', dataset)
  const given = expectOptions<EvaluateOptions>('evaluate', options, { signal: true, loss: true })
  return evaluateWith(net, images, lossForEngine(given.loss), expectSignal(given.signal), false)
}

/** What {@link evaluate} does, with arguments that are checked; within a `fit`, it may give way to predictions. */
export async function evaluateWith(
  net: Sequential,
  { native, start, length, imageShape }: Dataset,
  loss: LossForEngine,
  signal: AbortSignal | undefined,
  givesWay: boolean,
): Promise<Evaluation> {
  const engine = await net.engine(imageShape)
  const work = async (progress: Progress) => {
    let sums = noSums
    do sums = await callAddonAsync(() => engine.evaluate(native, start, start + length, loss.settings, sums, progress))
    while (sums.count < length) // it has given way
    return sums
  }
  const sums = await abortable(signal, work, { givesWay })
  const accuracy = accuracyOf(sums)
  return {
    loss: meanLoss(sums),
    ...(accuracy !== undefined && { accuracy, correct: sums.correct }),
    count: sums.count,
  }
}
