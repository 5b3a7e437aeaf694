import checkActivation, { type Activation } from '../activations.js'
import { type Layer, made } from './layer.js'

/** A function of each value, as at the end of a layer, on its own: after a normalisation, or a residual block. */
export function activation(activation: Activation): Layer {
  return made({ kind: 'activation', activation: checkActivation(activation) })
}
