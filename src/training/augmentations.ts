/** Augmentations: random changes to the images of a training, drawn anew for each epoch, as values for `fit`'s `augment`. */

import { type Checks, expectInteger, expectSettings, reading, readOnce, unexpected } from '../expect.js'

/** A random change to training images, from {@link randomFlip} or {@link randomShift}, or made by hand. */
export type Augmentation = RandomFlip | RandomShift

export interface RandomFlip {
  readonly kind: 'randomFlip'
}

export interface RandomShift {
  readonly kind: 'randomShift'
  readonly pixels: number
}

/** Mirrors an image left-right with probability 1/2. */
export function randomFlip(): RandomFlip {
  return { kind: 'randomFlip' }
}

/**
 * Moves an image by a whole number of rows and one of columns, all from -pixels to pixels alike; zeros come in. At least 0, and fewer
 * than an image has rows and columns.
 */
export function randomShift(pixels: number): RandomShift {
  return { kind: 'randomShift', pixels: expectPixels(pixels) }
}

/** That some are less than the images' rows and columns, Rust knows. */
function expectPixels(value: unknown): number {
  return expectInteger('pixels', value, 0)
}

type Kind = Augmentation['kind']

/** What checks the settings of each kind; the compiler sees that none is missing. */
const augmentations: { readonly [K in Kind]: Checks<Extract<Augmentation, { kind: K }>> } = {
  randomFlip: { kind: () => 'randomFlip' },
  randomShift: { kind: () => 'randomShift', pixels: expectPixels },
}

/**
 * A list of augmentations that may be made by hand or left out, as it is now, checked; undefined where there is nothing to do.
 * The default export, as src/index.ts passes on all names of this file.
 * @internal
 */
export default function checkAugment(augment: unknown): readonly Augmentation[] | undefined {
  if (augment === undefined) return undefined
  const checked = reading('augment', () => {
    if (Array.isArray(augment)) return Array.from(augment, (one, i) => checkAugmentation(`augment[${i}]`, one))
    throw unexpected('augment', 'an array of augmentations, such as [randomFlip()],', augment)
  })
  return checked.length > 0 ? checked : undefined
}

function checkAugmentation(name: string, augmentation: unknown): Augmentation {
  const { kind } = readOnce<{ kind: string }>(name, augmentation, { kind: true })
  if (typeof kind !== 'string' || !Object.hasOwn(augmentations, kind)) {
    throw unexpected(name, 'an augmentation, such as randomFlip(),', augmentation)
  }
  return expectSettings<Augmentation>(name, augmentation, augmentations[kind as Kind])
}
