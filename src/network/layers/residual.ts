import { expectOptions } from '../../expect.js'
import { block } from './check.js'
import type { Layer } from './layer.js'

/** Options of {@link residual}. */
export interface ResidualOptions {
  /** Layers of the other way; none by default: the input itself. */
  shortcut?: readonly Layer[]
}

/**
 * The sum of two ways through the network, body(x) + shortcut(x), which must end in the same shape. Residual blocks may be in it
 * again.
 */
export function residual(body: readonly Layer[], options: ResidualOptions = {}): Layer {
  const { shortcut } = expectOptions<ResidualOptions>('residual', options, { shortcut: true })
  return block('', { body, shortcut }, 1)
}
