import { expectNumber, unexpected } from './expect.js'

/** How weights are drawn; biases start at zero. */
export interface Initializer {
  readonly kind: 'xavier' | 'uniform' | 'normal' | 'zeros'
  readonly scale?: number
}

/** Uniform in ±√(6 / (fan in + fan out)), Gluon's default for `Xavier()`. */
export function xavier(): Initializer {
  return { kind: 'xavier' }
}

/** Uniform in ±scale. */
export function uniform(scale = 0.07): Initializer {
  return { kind: 'uniform', scale: expectNumber('scale', scale, 0) }
}

/** Normal around 0 with standard deviation sigma. */
export function normal(sigma = 0.01): Initializer {
  return { kind: 'normal', scale: expectNumber('sigma', sigma, 0) }
}

/** Zero. */
export function zeros(): Initializer {
  return { kind: 'zeros' }
}

/**
 * An initializer that may not come from the functions above, checked as they check it.
 * @internal
 */
export function checkInitializer(init: Initializer): Initializer {
  switch (init?.kind) {
    case 'xavier':
      return xavier()
    case 'uniform':
      return uniform(init.scale)
    case 'normal':
      return normal(init.scale)
    case 'zeros':
      return zeros()
    default:
      throw unexpected('init', 'an initializer, such as xavier(),', init)
  }
}
