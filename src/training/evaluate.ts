import { callAddonAsync, type Progress } from '../addon.js'
import { type Dataset, expectImages } from '../data/dataset.js'
import { numbersOf } from '../data/places.js'
import { expectOptions, expectSignal } from '../expect.js'
import { expectNetwork, type Sequential } from '../network/sequential.js'
import { abortable } from './abortable.js'
import lossForEngine, { type Loss, type LossForEngine, type ScoredLoss, type SoftmaxCrossEntropy } from './losses.js'
import { checkMetrics, type Metrics, type MetricsOf, type MetricsOptions, metricsOf, tallyOf } from './metrics.js'
import { accuracyOf, meanLoss, noSums } from './sums.js'

/** What {@link evaluate} finds. */
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
  /** Only with `metrics`. */
  metrics?: Metrics
}

/** Of a loss whose answers are right or wrong. */
export interface ScoredEvaluation extends Evaluation {
  accuracy: number
  correct: number
}

/** Options of {@link evaluate}. */
export interface EvaluateOptions<L extends Loss = Loss> {
  /** Ends the evaluation early; the call then throws the signal's reason. */
  signal?: AbortSignal
  /** {@link softmaxCrossEntropy} by default; what the training was given is not known here. */
  loss?: L
  /** What is to be counted as well, of {@link softmaxCrossEntropy} alone: `{ topK: [5], perClass: true, confusion: true }`. */
  metrics?: MetricsOptions
}

/** Loss and accuracy on a dataset, and what `metrics` asks for, from one pass over the images; changes nothing. */
export async function evaluate<const M extends MetricsOptions>(
  net: Sequential,
  dataset: Dataset,
  options: EvaluateOptions<SoftmaxCrossEntropy> & { metrics: M },
): Promise<
  ScoredEvaluation & {
    /** What `metrics` asked for. */
    metrics: MetricsOf<M>
  }
>
export async function evaluate(
  net: Sequential,
  dataset: Dataset,
  options?: EvaluateOptions<ScoredLoss>,
): Promise<ScoredEvaluation>
export async function evaluate(net: Sequential, dataset: Dataset, options: EvaluateOptions): Promise<Evaluation>
export async function evaluate(net: Sequential, dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation> {
  expectNetwork(net)
  const images = expectImages('dataset', dataset)
  const given = expectOptions<EvaluateOptions>('evaluate', options, { signal: true, loss: true, metrics: true })
  const loss = lossForEngine(given.loss)
  const metrics = checkMetrics(given.metrics, loss)
  return evaluateWith(net, images, { loss, metrics, signal: expectSignal(given.signal) }, false)
}

interface EvaluationSettings {
  readonly loss: LossForEngine
  /** As JSON. */
  readonly metrics: string | undefined
  readonly signal: AbortSignal | undefined
}

/** What {@link evaluate} does, with arguments that are checked; within a `fit`, it may give way to predictions. */
export async function evaluateWith(
  net: Sequential,
  dataset: Dataset,
  { loss, metrics, signal }: EvaluationSettings,
  givesWay: boolean,
): Promise<Evaluation> {
  const { native, imageShape } = dataset
  const engine = await net.engine(imageShape)
  const [images, tally] = [numbersOf(dataset), metrics === undefined ? undefined : tallyOf(metrics)]
  const work = async (progress: Progress) => {
    let sums = noSums
    do sums = await callAddonAsync(() => engine.evaluate(native, images, loss.settings, sums, progress, tally))
    while (sums.count < images.length) // it has given way
    return sums
  }
  const sums = await abortable(signal, work, { givesWay })
  const accuracy = accuracyOf(sums)
  return {
    loss: meanLoss(sums),
    ...(accuracy !== undefined && { accuracy, correct: sums.correct }),
    count: sums.count,
    ...(tally && { metrics: metricsOf(tally) }),
  }
}
