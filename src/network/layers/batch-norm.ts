import { expectBoolean, expectFloat32, expectOptions, expectShare, type Keys, unexpected } from '../../expect.js'
import { type Layer, made, unless } from './layer.js'

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Weight of a batch in the running mean and variance, as in PyTorch; Keras and Gluon say 1 - momentum. 0.1 by default. */
  momentum?: number
  /** Added to the variance; 1e-5 by default. */
  epsilon?: number
  /** If false, training normalises by the running mean and variance too, and changes nothing; true by default. */
  trainable?: boolean
}

const keys: Keys<BatchNormOptions> = { momentum: true, epsilon: true, trainable: true }

/**
 * Batch normalisation: each channel of images, or each value of what is flat, to mean 0 and variance 1, times a weight, plus a bias.
 * In training by the batch's own mean and variance; in answers by running ones.
 */
export function batchNorm(options: BatchNormOptions = {}): Layer {
  const { momentum = 0.1, epsilon = 1e-5, trainable = true } = expectOptions('batchNorm', options, keys)
  return made({
    kind: 'batchNorm',
    momentum: expectShare('momentum', momentum),
    epsilon: expectPositive('epsilon', epsilon),
    ...unless(true, { trainable: expectBoolean('trainable', trainable) }),
  })
}

function expectPositive(name: string, value: unknown): number {
  if (value === 0) throw unexpected(name, 'a number above 0', value)
  return expectFloat32(name, value, 0)
}
