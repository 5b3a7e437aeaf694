/** Augmentations as the command line names them: `flip,crop:4,zoom:0.1`. */

import { CandlewickError } from '../errors.js'
import {
  type Augmentation,
  brightness,
  contrast,
  randomCrop,
  randomErasing,
  randomFlip,
  randomRotation,
  randomShift,
  randomZoom,
} from '../training/augmentations.js'
import { UsageError } from './options.js'

/** What each name on the command line stands for, with the number behind its colon, if there is one. */
const makers: Readonly<Record<string, (setting?: number) => Augmentation>> = {
  flip: () => randomFlip(),
  shift: (pixels = 2) => randomShift(pixels),
  crop: (padding = 2) => randomCrop({ padding }),
  erasing: (probability = 0.5) => randomErasing({ probability }),
  rotation: (degrees = 15) => randomRotation(degrees),
  zoom: (amount = 0.2) => randomZoom(amount),
  brightness: (amount = 0.2) => brightness(amount),
  contrast: (amount = 0.5) => contrast(amount),
}

export const augmentationNames = Object.keys(makers)

/** The augmentations that these names stand for, in their order. */
export function augmentationsOf(names: string): Augmentation[] {
  return names.split(',').map(augmentation)
}

/** What `NAME` or `NAME:NUMBER` stands for. */
function augmentation(written: string): Augmentation {
  const [, name = '', setting] = /^([a-z]+)(?::(\d+\.?\d*|\.\d+))?$/.exec(written) ?? []
  const make = Object.hasOwn(makers, name) ? makers[name] : undefined
  if (!make) {
    const known = Object.keys(makers).join(', ')
    throw new UsageError(`Expected ${known}, or one of them with a number, for --augment, but received "${written}".`)
  }
  try {
    return make(setting === undefined ? undefined : Number(setting))
  } catch (error) {
    if (!(error instanceof CandlewickError)) throw error
    throw new UsageError(`${written}: ${error.message}`)
  }
}
