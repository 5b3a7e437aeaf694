import { expectInteger, expectOptions, type Keys } from '../../expect.js'
import type { Activation } from '../activations.js'
import type { Initializer } from '../initializers.js'
import { type Layer, made, withActivation, withParameters } from './layer.js'

/** Options of {@link dense}. */
export interface DenseOptions {
  /** Length of the output. */
  units: number
  /** Whether there is a bias; by default there is. */
  useBias?: boolean
  /** Whether steps move the layer's parameters; by default they do. */
  trainable?: boolean
  /** How the weights begin; by default as the network's initialiser says. */
  kernelInit?: Initializer
  /** How the bias begins; by default at zero. */
  biasInit?: Initializer
  /** None by default. */
  activation?: Activation
}

const denseKeys: Keys<DenseOptions> = {
  units: true,
  useBias: true,
  trainable: true,
  kernelInit: true,
  biasInit: true,
  activation: true,
}

/** A fully connected layer; flattens what reaches it. */
export function dense(options: DenseOptions): Layer {
  const given = expectOptions<DenseOptions>('dense', options, denseKeys)
  const units = expectInteger('units', given.units, 1)
  return made({ kind: 'dense', units, ...withParameters(given), ...withActivation(given.activation) })
}
