import type { Images } from '../data/images.js'
import { CandlewickError } from '../errors.js'
import { expectInteger, expectOptions, expectSignal, reading, readOnce } from '../expect.js'
import { type CheckedPreparation, white } from '../pictures/preparation.js'
import { checkSource, type PictureSource, prepareAll } from '../pictures/prepare.js'
import type { Knowledge } from './knowledge.js'
import type { Prediction } from './prediction.js'

/** A class that a picture may be of. */
export interface Answer {
  /** The class's name, or its number, where the network knows no names. */
  label: string
  /** From 0 to 1; those of all classes sum to 1. */
  probability: number
}

/** Options of {@link Sequential.classify}. */
export interface ClassifyOptions {
  /** How many of the likeliest classes to tell; all by default. */
  top?: number
  /** Ends the reading of pictures; the call then throws the signal's reason. */
  signal?: AbortSignal | undefined
}

/** A picture, or the values of one image: (channels, height, width), as the network takes them. */
export type Classifiable = PictureSource | Images

export function checkClassify(options: ClassifyOptions) {
  const given = expectOptions<ClassifyOptions>('classify', options, { top: true, signal: true })
  const top = given.top === undefined ? undefined : expectInteger('top', given.top, 1)
  return { top, signal: expectSignal(given.signal) }
}

/** The images of some pictures, as the network was trained on them. */
export function imagesOf(
  given: readonly unknown[],
  inputShape: readonly number[],
  knowledge: Knowledge,
  signal: AbortSignal | undefined,
): Promise<Images> {
  const sources = given.map((one, i) => checkSource(given.length === 1 ? 'picture' : `pictures[${i}]`, one))
  return prepareAll(sources, preparationFor(inputShape, knowledge), signal)
}

/** How pictures become a network's images. */
export function preparationFor(inputShape: readonly number[], { pictures }: Knowledge): CheckedPreparation {
  const [channels, height, width] = inputShape as [number, number, number]
  if (channels !== 1 && channels !== 3) {
    const message = `The network takes images of ${channels} channels, which pictures don't have; use predict.`
    throw new CandlewickError('INVALID_SHAPE', message)
  }
  const { fit, background } = pictures ?? { fit: 'cover', background: white }
  return { shape: [channels, height, width], fit, background }
}

/** One image in a batch of its own. */
export function single(image: unknown): Images {
  return reading('image', () => {
    const { data, shape } = readOnce<Images>('image', image, { data: true, shape: true })
    const batch = Array.isArray(shape) && shape.length === 3 ? [1, ...shape] : shape
    return { data, shape: batch } as Images
  })
}

/** The likeliest classes of each image, the likeliest first; of equals, the first. */
export function answersOf(prediction: Prediction, { classes }: Knowledge, top: number | undefined): Answer[][] {
  const { shape, probabilities } = prediction
  const [n, outputs] = shape
  return Array.from({ length: n }, (_, image) => {
    const own = Array.from(probabilities.subarray(image * outputs, (image + 1) * outputs))
    const answers = own.map((probability, label) => ({ label: classes?.[label] ?? String(label), probability }))
    return answers.sort((a, b) => b.probability - a.probability).slice(0, top)
  })
}
