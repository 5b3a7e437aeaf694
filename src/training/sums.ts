/** Losses and right answers of images, as sums: what is added up over pauses is what it would be without them, to the bit. */

import type { Sums } from '../addon.js'

/** Of no images. */
export const noSums: Sums = { loss: 0, weight: 0, correct: 0, answers: 0, count: 0 }

/** Loss an image; NaN for none. */
export function meanLoss({ loss, weight }: Sums): number {
  return loss / weight
}

/** The share of answers that are right, of losses that have right answers. */
export function accuracyOf({ correct, answers }: Sums): number | undefined {
  return answers > 0 ? correct / answers : undefined
}

/** Of the images that came between. */
export function sumsBetween(before: Sums, after: Sums): Sums {
  return {
    loss: after.loss - before.loss,
    weight: after.weight - before.weight,
    correct: after.correct - before.correct,
    answers: after.answers - before.answers,
    count: after.count - before.count,
  }
}
