/** How pictures of any size and kind become images of one shape. */

import { copyOfArray, expectInteger, expectOneOf, reading, unexpected } from '../expect.js'

/** What becomes of a picture whose sides are to each other as those of an image are not. */
export type Fit = (typeof fits)[number]

const fits = ['cover', 'contain', 'stretch'] as const

/** Red, green and blue, each from 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number]

/** What becomes of pictures; those that are loaded together become images of one shape. */
export interface PreparationOptions {
  /** Rows and columns of an image: one number for both, or `[height, width]`; 64 by default. */
  size?: number | readonly [height: number, width: number]
  /** 3 for red, green and blue, the default, or 1 for grey. */
  channels?: 1 | 3
  /**
   * `'cover'` (the default) cuts off what stands out on two sides, `'contain'` fills up two sides with the background, `'stretch'`
   * resizes rows and columns by themselves. All are bilinear, over all pixels that meet in one, as Pillow's and torchvision's.
   */
  fit?: Fit
  /** What shines through is put on this, and a picture that is contained; white by default. */
  background?: Colour
}

/** How a network wants its pictures, beside the shape of its images. */
export interface Preparation {
  /** What becomes of one of other proportions. */
  readonly fit: Fit
  /** What shines through is put on this. */
  readonly background: Colour
}

/** A preparation and the shape that it comes to. */
export interface CheckedPreparation extends Preparation {
  /** (channels, height, width) */
  readonly shape: readonly [number, number, number]
}

export const defaultSize = 64
const mostSize = 4096

/** What each option is, for who takes them beside others. */
export const preparationKeys = { size: true, channels: true, fit: true, background: true } as const

/** Options that may be left out, as they are now, checked. */
export function checkPreparation(given: { readonly [K in keyof PreparationOptions]?: unknown }): CheckedPreparation {
  const { size = defaultSize, channels = 3, fit = 'cover', background = white } = given
  const [height, width] = checkSize(size)
  if (channels !== 1 && channels !== 3) throw unexpected('channels', '1 (grey) or 3 (red, green, blue)', channels)
  return { shape: [channels, height, width], fit: expectOneOf('fit', fits, fit), background: checkColour(background) }
}

/** What the addon is told of a preparation. */
export function forAddon({ shape, fit, background }: CheckedPreparation) {
  return { shape: [...shape], fit, background: [...background] }
}

/** What a file says of how its network wants pictures. */
export function readPreparation(given: unknown): Preparation | undefined {
  if (typeof given !== 'object' || given === null) return undefined
  const { fit, background } = given as Partial<Record<keyof Preparation, unknown>>
  return { fit: expectOneOf('fit', fits, fit), background: checkColour(background) }
}

export const white: Colour = [255, 255, 255]

function checkSize(size: unknown): [number, number] {
  if (typeof size === 'number') return [expectSize('size', size), expectSize('size', size)]
  const pair = copyOfArray('size', size, 2)
  if (!pair) throw unexpected('size', 'a number of pixels, such as 64, or [height, width]', size)
  return [expectSize('size[0]', pair[0]), expectSize('size[1]', pair[1])]
}

function expectSize(name: string, value: unknown): number {
  return expectInteger(name, value, 1, mostSize)
}

function checkColour(value: unknown): Colour {
  return reading('background', () => {
    const parts = copyOfArray('background', value, 3)
    if (!parts) throw unexpected('background', '[red, green, blue], each from 0 to 255,', value)
    const [red, green, blue] = parts.map((part, i) => expectInteger(`background[${i}]`, part, 0, 255))
    return [red, green, blue] as Colour
  })
}
