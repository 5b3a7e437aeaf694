/** Augmentations as the command line names them: `flip,crop:4,zoom:0.1`. */

import { CandlewickError } from '../errors.js'
import {
  type Augmentation,
  brightness,
  contrast,
  mixup,
  randomCrop,
  randomErasing,
  randomFlip,
  randomRotation,
  randomShift,
  randomZoom,
} from '../training/augmentations.js'
import { UsageError } from './options.js'

/** What makes an augmentation of the number that its setting is; a usual one, where it takes any. */
interface Maker {
  usual?: number
  make(setting: number): Augmentation
}

/** Of each kind; the compiler sees that none is missing. */
const makers: Readonly<Record<Augmentation['kind'], Maker>> = {
  randomFlip: { make: randomFlip },
  randomShift: { usual: 2, make: randomShift },
  randomCrop: { usual: 2, make: (padding) => randomCrop({ padding }) },
  randomErasing: { usual: 0.5, make: (probability) => randomErasing({ probability }) },
  randomRotation: { usual: 15, make: randomRotation },
  randomZoom: { usual: 0.2, make: randomZoom },
  brightness: { usual: 0.2, make: brightness },
  contrast: { usual: 0.5, make: contrast },
  mixup: { usual: 0.2, make: mixup },
}

/** By their names on the command line: flip, shift, ... */
const named = new Map(
  Object.entries(makers).map(([kind, maker]) => [kind.replace('random', '').toLowerCase(), maker] as const),
)

export const augmentationNames = [...named.keys()]

/** The augmentations that these names stand for, in their order. */
export function augmentationsOf(names: string): Augmentation[] {
  return names.split(',').map(augmentation)
}

/** What `NAME` or `NAME:NUMBER` stands for. */
function augmentation(written: string): Augmentation {
  const [, name = '', setting] = /^([a-z]+)(?::(\d+\.?\d*|\.\d+))?$/.exec(written) ?? []
  const maker = named.get(name)
  if (!maker) {
    const known = augmentationNames.join(', ')
    throw new UsageError(`Expected ${known}, or one of them with a number, for --augment, but received "${written}".`)
  }
  const { usual, make } = maker
  if (setting !== undefined && usual === undefined) throw new UsageError(`Expected ${name} alone for --augment.`)
  try {
    return make(Number(setting ?? usual))
  } catch (error) {
    if (!(error instanceof CandlewickError)) throw error
    throw new UsageError(`${written}: ${error.message}`)
  }
}
