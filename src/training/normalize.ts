/** `normalize`, as `fit` takes it: the images that a network begins to train on say what it normalizes by. */

import type { Engine } from '../addon.js'
import type { Dataset } from '../data/dataset.js'
import { CandlewickError } from '../errors.js'
import { expectOneOf } from '../expect.js'
import { type Normalization, normalizationBy, writeNormalization } from '../network/normalization.js'
import type { Sequential } from '../network/sequential.js'
import { hasLearned } from './steps.js'

const kinds = ['mean-deviation'] as const

/** By what images are normalized: by mean and deviation of each channel. */
export type Normalize = (typeof kinds)[number]

export function checkNormalize(value: unknown): Normalize | undefined {
  return value === undefined ? undefined : expectOneOf('normalize', kinds, value)
}

/** Has a network that is to begin normalize by the images that it trains on; one that does already goes on as it is. */
export async function normalizeBy(net: Sequential, engine: Engine, train: Dataset): Promise<void> {
  if (net.normalization) return
  if (hasLearned(engine)) {
    const message =
      'The network has learned, or was given parameters, without a normalization, with which its images would no longer be ' +
      'what it knows; leave normalize out, or initialize the network anew and let fit or initialize normalize from the start.'
    throw new CandlewickError('INVALID_ARGUMENT', message)
  }
  await net.normalize(normalizationBy('train.statistics()', await train.statistics()))
}

/** Fails where a checkpoint is of a training whose images are normalized otherwise. */
export function checkResumed(
  path: string,
  theirs: Normalization | undefined,
  ours: Normalization | undefined,
  normalize: Normalize | undefined,
): void {
  const words = (one: Normalization | undefined) => (one ? `the normalization ${writeNormalization(one)}` : 'none')
  const wanted = ours ? words(ours) : normalize && !theirs ? `normalize: '${normalize}'` : undefined
  if (wanted === undefined || wanted === words(theirs)) return
  const found = theirs ? `with ${words(theirs)}` : 'without a normalization'
  const message = `The checkpoint ${path} is of a training ${found}, but this one has ${wanted}; resume with the same.`
  throw new CandlewickError('CHECKPOINT_INVALID', message)
}
