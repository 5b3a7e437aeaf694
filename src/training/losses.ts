import { type Checks, expectFloat32, expectSettings, reading, readOnce, unexpected } from '../expect.js'

/**
 * What training makes small, from {@link softmaxCrossEntropy}, {@link meanSquaredError} or {@link sigmoidCrossEntropy}, or made by
 * hand. The first, the default, takes labels, the others targets: a number for each output of the network.
 */
export type Loss = SoftmaxCrossEntropy | MeanSquaredError | SigmoidCrossEntropy

/** A loss whose answers are right or wrong, so that they have an accuracy. */
export type ScoredLoss = SoftmaxCrossEntropy | SigmoidCrossEntropy

/** A loss that compares outputs with targets. */
export type TargetLoss = MeanSquaredError | SigmoidCrossEntropy

/** Options of {@link softmaxCrossEntropy}. */
export interface SoftmaxCrossEntropyOptions {
  /** The share of each answer that goes to all classes alike: 0 (the default) to below 1. */
  labelSmoothing?: number
  /** A weight of at least 0 for each class; all weigh the same by default. */
  classWeights?: ArrayLike<number>
}

/** What {@link softmaxCrossEntropy} makes. */
export interface SoftmaxCrossEntropy {
  /** Its name in JSON. */
  readonly kind: 'softmaxCrossEntropy'
  /** The share of each answer that goes to all classes alike. */
  readonly labelSmoothing?: number
  /** A weight for each class; nothing where all weigh the same. */
  readonly classWeights?: readonly number[]
}

/** What {@link meanSquaredError} makes. */
export interface MeanSquaredError {
  /** Its name in JSON. */
  readonly kind: 'meanSquaredError'
}

/** What {@link sigmoidCrossEntropy} makes. */
export interface SigmoidCrossEntropy {
  /** Its name in JSON. */
  readonly kind: 'sigmoidCrossEntropy'
}

/**
 * One of several classes is right: ln Σ eᶻ - z of the label, of the network's outputs z. Smoothing and weights are those of
 * PyTorch's `CrossEntropyLoss`: an image's loss is times the weight of its class, and the mean divides by the sum of those weights.
 * (A batch whose weights are all 0 teaches nothing; in PyTorch it makes all parameters NaN.)
 */
export function softmaxCrossEntropy(options: SoftmaxCrossEntropyOptions = {}): SoftmaxCrossEntropy {
  return complete(expectSettings<SoftmaxSettings>('softmaxCrossEntropy', options, softmaxSettings))
}

/** The mean of (z - t)² over the network's outputs z, with targets t, and images: for numbers that are to be met. */
export function meanSquaredError(): MeanSquaredError {
  return { kind: 'meanSquaredError' }
}

/**
 * Each output is a yes or a no of its own: the mean of -t ln σ(z) - (1 - t) ln(1 - σ(z)) over outputs z, with targets t from 0 (no)
 * to 1 (yes), and images. PyTorch's `BCEWithLogitsLoss`.
 */
export function sigmoidCrossEntropy(): SigmoidCrossEntropy {
  return { kind: 'sigmoidCrossEntropy' }
}

interface SoftmaxSettings {
  labelSmoothing: number
  classWeights: readonly number[] | undefined
}

const softmaxSettings: Checks<SoftmaxSettings> = {
  labelSmoothing: (value = 0) => expectFloat32('labelSmoothing', value, 0, 1),
  classWeights: (value) => (value === undefined ? undefined : checkWeights(value)),
}

/** That there is one for each class, Rust knows. */
function checkWeights(value: unknown): readonly number[] {
  return reading('classWeights', () => {
    const { length } = Object(value) as ArrayLike<unknown>
    if (typeof value !== 'object' || !Number.isInteger(length) || length < 1 || length > mostClasses) {
      throw unexpected('classWeights', 'an array of a weight for each class', value)
    }
    const given = value as ArrayLike<unknown>
    return Array.from({ length }, (_, i) => expectFloat32(`classWeights[${i}]`, given[i], 0))
  })
}

const mostClasses = 2 ** 24

function complete({ labelSmoothing, classWeights }: SoftmaxSettings): SoftmaxCrossEntropy {
  return { kind: 'softmaxCrossEntropy', labelSmoothing, ...(classWeights && { classWeights }) }
}

type Kind = Loss['kind']

/** What a loss compares outputs with. */
export type Takes = 'labels' | 'targets'

/** What each kind takes, and what checks its settings; the compiler sees that none is missing. */
const losses: Readonly<Record<Kind, { takes: Takes; check: (given: unknown) => Loss }>> = {
  softmaxCrossEntropy: {
    takes: 'labels',
    check: (given) => complete(expectSettings('loss', given, { kind: (kind) => kind, ...softmaxSettings })),
  },
  meanSquaredError: { takes: 'targets', check: (given) => expectSettings('loss', given, kindOf('meanSquaredError')) },
  sigmoidCrossEntropy: {
    takes: 'targets',
    check: (given) => expectSettings('loss', given, kindOf('sigmoidCrossEntropy')),
  },
}

/** Of a loss without settings. */
function kindOf<K extends Kind>(kind: K): Checks<{ readonly kind: K }> {
  return { kind: () => kind }
}

/** What an engine is told of a loss. */
export interface LossForEngine {
  kind: Kind
  /** Its settings, as JSON. */
  settings: string
  takes: Takes
}

/**
 * What an engine is told of a loss that may be made by hand or left out, as it is now, checked.
 * The default export, as src/index.ts passes on the names that users need.
 * @internal
 */
export default function lossForEngine(loss: unknown): LossForEngine {
  const given = loss === undefined ? softmaxCrossEntropy() : loss
  const { kind } = readOnce<{ kind: string }>('loss', given, { kind: true })
  if (typeof kind !== 'string' || !Object.hasOwn(losses, kind)) {
    throw unexpected('loss', 'a loss, such as softmaxCrossEntropy(),', loss)
  }
  const { takes, check } = losses[kind as Kind]
  return { kind: kind as Kind, settings: JSON.stringify(check(given)), takes }
}
