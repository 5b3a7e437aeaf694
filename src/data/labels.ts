/** What images show, as numbers: at most 65,535, and a byte each where that is enough. */

import { unexpected } from '../expect.js'
import { allocate } from '../memory.js'
import { checkLabels } from './images.js'

/** Bytes where no label of the images that were loaded together is larger than 255, else numbers of 16 bits. */
export type Labels = Uint8Array | Uint16Array

const mostLabel = 65_535

/** A copy of labels, one for each of `count` images, as datasets hold them. */
export function checkShortLabels(given: unknown, count: number): Uint16Array {
  const labels = checkLabels(given, count)
  const tooLarge = labels.findIndex((label) => label > mostLabel)
  if (tooLarge >= 0) throw notShort(`labels[${tooLarge}]`, labels[tooLarge])
  const copy = allocate(`the labels of ${count} images`, Uint16Array, count)
  copy.set(labels)
  return copy
}

/** A label as datasets hold them. */
export function checkShortLabel(name: string, label: unknown): number {
  if (typeof label === 'number' && Number.isInteger(label) && label >= 0 && label <= mostLabel) return label
  throw notShort(name, label)
}

function notShort(name: string, label: unknown): Error {
  const advice = typeof label === 'string' ? ' (map names to numbers, as with classes.indexOf(name))' : ''
  return unexpected(name, `an integer from 0 to ${mostLabel}${advice}`, label)
}

/** How often there is each label, from 0 to the largest, or up to so many. */
export function countsOf(labels: Labels, least = 0): number[] {
  const counts: number[] = new Array(least).fill(0)
  for (const label of labels) {
    while (counts.length <= label) counts.push(0)
    counts[label] = (counts[label] as number) + 1
  }
  return counts
}
