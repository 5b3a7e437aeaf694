import { expectInteger, expectOptions } from '../../expect.js'
import type { Activation } from '../activations.js'
import { type Layer, made, withActivation } from './layer.js'

export interface DenseOptions {
  /** Length of the output. */
  units: number
  /** None by default. */
  activation?: Activation
}

/** A fully connected layer; flattens what reaches it. */
export function dense(options: DenseOptions): Layer {
  const given = expectOptions<DenseOptions>('dense', options, { units: true, activation: true })
  return made({ kind: 'dense', units: expectInteger('units', given.units, 1), ...withActivation(given.activation) })
}
