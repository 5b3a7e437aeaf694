import { expectFloat32, expectOptions } from '../../expect.js'
import { type Layer, made } from './layer.js'

/** Options of {@link dropout}. */
export interface DropoutOptions {
  /** Share of the values that become 0, from 0 to below 1. */
  rate: number
}

/**
 * In training, each value is 0 with probability rate, and else 1 / (1 - rate) times as large; answers are left alone. Which values,
 * follows from the network's seed, the number of the step and their places, whatever the engine or the number of threads.
 */
export function dropout(options: DropoutOptions): Layer {
  const { rate } = expectOptions<DropoutOptions>('dropout', options, { rate: true })
  return made({ kind: 'dropout', rate: expectFloat32('rate', rate, 0, 1) })
}
