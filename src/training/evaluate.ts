import { type Dataset, expectImages } from '../data/dataset.js'
import { expectOptions, expectSignal } from '../expect.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import { abortable } from './abortable.js'
import lossForEngine, { type Loss, type LossForEngine, type ScoredLoss } from './losses.js'

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
  return evaluateWith(net, images, lossForEngine(given.loss), expectSignal(given.signal))
}

/** What {@link evaluate} does, with arguments that are checked. */
export async function evaluateWith(
  net: Sequential,
  { native, start, length, imageShape }: Dataset,
  loss: LossForEngine,
  signal: AbortSignal | undefined,
): Promise<Evaluation> {
  const engine = await net.engine(imageShape)
  const work = (progress: Parameters<typeof engine.evaluate>[4]) =>
    engine.evaluate(native, start, start + length, loss.settings, progress)
  const { loss: mean, correct, answers, count } = await abortable(signal, undefined, work)
  return { loss: mean, ...(answers > 0 && { accuracy: correct / answers, correct }), count }
}
