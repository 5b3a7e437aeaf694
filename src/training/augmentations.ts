/** Augmentations: random changes to the images of a training, drawn anew for each epoch, as values for `fit`'s `augment`. */

import {
  type Checks,
  copyOfArray,
  expectAbove0,
  expectFloat32,
  expectInteger,
  expectSettings,
  expectShare,
  expectWithin,
  reading,
  readOnce,
  unexpected,
} from '../expect.js'

/** A random change to training images, from {@link randomFlip} and the other functions of this file, or made by hand. */
export type Augmentation =
  | RandomFlip
  | RandomShift
  | RandomCrop
  | RandomErasing
  | RandomRotation
  | RandomZoom
  | Brightness
  | Contrast
  | Mixup

/** What {@link randomFlip} makes. */
export interface RandomFlip {
  /** Its name in JSON. */
  readonly kind: 'randomFlip'
}

/** What {@link randomShift} makes. */
export interface RandomShift {
  /** Its name in JSON. */
  readonly kind: 'randomShift'
  /** The most rows and columns that it moves an image by. */
  readonly pixels: number
}

/** Options of {@link randomCrop}. */
export interface RandomCropOptions {
  /** Rows and columns of zeros on each side: at least 0, and fewer than an image has. */
  padding: number
}

/** What {@link randomCrop} makes. */
export interface RandomCrop extends Readonly<RandomCropOptions> {
  /** Its name in JSON. */
  readonly kind: 'randomCrop'
}

/** Options of {@link randomErasing}. */
export interface RandomErasingOptions {
  /** Of an image to be covered in part: 0 to 1, and 0.5 by default. */
  probability?: number
  /** The least and the greatest share of the image that is covered, 0 to 1: `[0.02, 0.33]` by default. */
  area?: readonly [least: number, most: number]
  /** The least and the greatest height / width of the rectangle, above 0: `[0.3, 3.3]` by default. */
  aspect?: readonly [least: number, most: number]
  /** What is put there: a byte, 0 by default, or `'random'` ones. */
  fill?: number | 'random'
}

/** What {@link randomErasing} makes. */
export interface RandomErasing extends Readonly<RandomErasingOptions> {
  /** Its name in JSON. */
  readonly kind: 'randomErasing'
}

/** What {@link randomRotation} makes. */
export interface RandomRotation {
  /** Its name in JSON. */
  readonly kind: 'randomRotation'
  /** The largest angle, 0 to 180. */
  readonly degrees: number
}

/** What {@link randomZoom} makes. */
export interface RandomZoom {
  /** Its name in JSON. */
  readonly kind: 'randomZoom'
  /** How far from 1 the factor may be; at least 0 and below 1. */
  readonly amount: number
}

/** What {@link brightness} makes. */
export interface Brightness {
  /** Its name in JSON. */
  readonly kind: 'brightness'
  /** The most that is added, as a share of 255. */
  readonly amount: number
}

/** What {@link contrast} makes. */
export interface Contrast {
  /** Its name in JSON. */
  readonly kind: 'contrast'
  /** How far from 1 the factor may be; 0 to 1. */
  readonly amount: number
}

/** What {@link mixup} makes. */
export interface Mixup {
  /** Its name in JSON. */
  readonly kind: 'mixup'
  /** Both parameters of the Beta distribution that the shares are drawn from. */
  readonly alpha: number
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
  return { kind: 'randomShift', pixels: expectPixels('pixels', pixels) }
}

/**
 * Puts zeros around an image and cuts out a part of its size, wherever it may lie, as torchvision's
 * `RandomCrop(size, padding=padding)`: the very same as `randomShift(padding)`.
 */
export function randomCrop(options: RandomCropOptions): RandomCrop {
  return { kind: 'randomCrop', ...expectSettings<RandomCropOptions>('randomCrop', options, cropSettings) }
}

/**
 * Covers a rectangle of an image, of all its channels, with some probability: torchvision's `RandomErasing`, whose defaults these are.
 * Where what is drawn is too high or too wide for the image, it is drawn again, ten times at most; then the image stays as it is.
 */
export function randomErasing(options: RandomErasingOptions = {}): Required<RandomErasing> {
  return { kind: 'randomErasing', ...expectSettings<RandomErasingOptions>('randomErasing', options, erasingSettings) }
}

/**
 * Turns an image about its centre by an angle from -degrees to degrees, which are 0 to 180; bilinear, with zeros outside. As
 * torchvision's `RandomRotation(degrees, InterpolationMode.BILINEAR)`.
 */
export function randomRotation(degrees: number): RandomRotation {
  return { kind: 'randomRotation', degrees: expectDegrees(degrees) }
}

/**
 * Shows a part of an image about its centre, 1 - amount to 1 + amount times as high and as wide as the image, in its place; bilinear,
 * with zeros outside. So 0.8 makes all larger, and 1.25 smaller, as in Keras's `RandomZoom(amount, fill_mode='constant')`. At least 0
 * and below 1.
 */
export function randomZoom(amount: number): RandomZoom {
  return { kind: 'randomZoom', amount: expectZoom(amount) }
}

/**
 * Adds the same to all pixels of an image, from -amount · 255 to amount · 255; what would be below 0 or above 255 is that. Keras's
 * `RandomBrightness(amount)`. From 0 to 1.
 */
export function brightness(amount: number): Brightness {
  return { kind: 'brightness', amount: expectAmount(amount) }
}

/**
 * Makes each pixel x of a channel with mean m into (x - m) · f + m, rounded, for a factor f of the image from 1 - amount to
 * 1 + amount; what would be below 0 or above 255 is that. Keras's `RandomContrast(amount)`. From 0 to 1.
 */
export function contrast(amount: number): Contrast {
  return { kind: 'contrast', amount: expectAmount(amount) }
}

/**
 * Makes of each image and another one the mean of both, and of their labels or targets: λ of the first, drawn from Beta(alpha, alpha)
 * for each image anew, as timm's `Mixup` in the mode `elem` (Zhang et al., 2017). The other is any of the images that are trained on,
 * changed as the list says. It comes last. An answer counts as right if it is the label of the larger share.
 */
export function mixup(alpha: number): Mixup {
  return { kind: 'mixup', alpha: expectAbove0('alpha', alpha) }
}

/** That some are less than the images' rows and columns, Rust knows. */
function expectPixels(name: string, value: unknown): number {
  return expectInteger(name, value, 0)
}

function expectDegrees(value: unknown): number {
  return expectWithin('degrees', value, 0, 180)
}

function expectZoom(value: unknown): number {
  return expectFloat32('amount', value, 0, 1)
}

function expectAmount(value: unknown): number {
  return expectShare('amount', value)
}

const cropSettings: Checks<RandomCropOptions> = { padding: (value) => expectPixels('padding', value) }

const erasingSettings: Checks<Required<RandomErasingOptions>> = {
  probability: (value = 0.5) => expectShare('probability', value),
  area: (value = [0.02, 0.33]) => expectEnds('area', value, expectShare),
  aspect: (value = [0.3, 3.3]) => expectEnds('aspect', value, expectAbove0),
  fill: (value = 0) => (value === 'random' ? value : expectByte(value)),
}

/** The two ends of a range. */
function expectEnds(name: string, value: unknown, expectEnd: typeof expectShare): readonly [number, number] {
  const ends = copyOfArray(name, value, 2)
  if (!ends) throw unexpected(name, 'a pair, the least and the most,', value)
  const [least, most] = ends.map((end, i) => expectEnd(`${name}[${i}]`, end)) as [number, number]
  if (least > most) throw unexpected(name, 'the least before the most', value)
  return [least, most]
}

function expectByte(value: unknown): number {
  if (typeof value === 'number') return expectInteger('fill', value, 0, 255)
  throw unexpected('fill', 'an integer from 0 to 255 or "random"', value)
}

type Kind = Augmentation['kind']

/** What checks the settings of each kind; the compiler sees that none is missing. */
const augmentations: { readonly [K in Kind]: Checks<Extract<Augmentation, { kind: K }>> } = {
  randomFlip: { kind: () => 'randomFlip' },
  randomShift: { kind: () => 'randomShift', pixels: (value) => expectPixels('pixels', value) },
  randomCrop: { kind: () => 'randomCrop', ...cropSettings },
  randomErasing: { kind: () => 'randomErasing', ...erasingSettings },
  randomRotation: { kind: () => 'randomRotation', degrees: expectDegrees },
  randomZoom: { kind: () => 'randomZoom', amount: expectZoom },
  brightness: { kind: () => 'brightness', amount: expectAmount },
  contrast: { kind: () => 'contrast', amount: expectAmount },
  mixup: { kind: () => 'mixup', alpha: (value) => expectAbove0('alpha', value) },
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
  if (checked.slice(0, -1).some(({ kind }) => kind === 'mixup')) {
    throw unexpected(
      'augment',
      'mixup once, and nothing after it,',
      checked.map(({ kind }) => kind),
    )
  }
  return checked.length > 0 ? checked : undefined
}

function checkAugmentation(name: string, augmentation: unknown): Augmentation {
  const { kind } = readOnce<{ kind: string }>(name, augmentation, { kind: true })
  if (typeof kind !== 'string' || !Object.hasOwn(augmentations, kind)) {
    throw unexpected(name, 'an augmentation, such as randomFlip(),', augmentation)
  }
  return expectSettings<Augmentation>(name, augmentation, augmentations[kind as Kind])
}
