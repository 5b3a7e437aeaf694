/** What a network knows of its data beside its parameters, which its files keep. */

import { checkClasses } from '../data/classes.js'
import { type Preparation, readPreparation } from '../pictures/preparation.js'

/** How a network was trained, as its files say. */
export interface TrainedBy {
  /** Of candlewick. */
  readonly version: string
  /** Images that it was trained on. */
  readonly images: number
  /** Those that were trained. */
  readonly epochs: number
  /** Images of a step. */
  readonly batchSize: number
  /** That of the `fit`, or else the network's. */
  readonly seed: number
  /** The optimiser and its settings, as JSON has them. */
  readonly optimizer: unknown
  /** The loss and its settings, as JSON has them. */
  readonly loss: unknown
  /** The augmentations, as JSON has them; nothing for none. */
  readonly augment?: unknown
  /** Those of the last epoch. */
  readonly figures: Readonly<Record<string, number>>
}

export interface Knowledge {
  /** The names of the classes, by their labels. */
  readonly classes?: readonly string[] | undefined
  /** How pictures are prepared. */
  readonly pictures?: Preparation | undefined
  readonly trained?: TrainedBy | undefined
}

/** What a file says, as far as it can be understood: what it says of the training is for people. */
export function readKnowledge(file: Readonly<Record<string, unknown>>): Knowledge {
  const { classes, pictures, trained } = file
  return {
    ...(classes !== undefined && { classes: checkClasses(classes) }),
    ...(pictures !== undefined && { pictures: readPreparation(pictures) }),
    ...(typeof trained === 'object' && trained !== null && { trained: trained as TrainedBy }),
  }
}
