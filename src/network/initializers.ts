import { expectFloat32, readOnce, refuseUnknownKeys, unexpected } from '../expect.js'

/** How weights are drawn; biases start at zero. */
export interface Initializer {
  readonly kind: 'xavier' | 'uniform' | 'normal' | 'zeros'
  readonly scale?: number
}

const belowSigma = 1e37 // what is drawn may be thirteen times as far from 0, and float32 ends at 3.4e38

/** Uniform in ±√(6 / (fan in + fan out)), Gluon's default for `Xavier()`. */
export function xavier(): Initializer {
  return { kind: 'xavier' }
}

/** Uniform in ±scale. */
export function uniform(scale = 0.07): Initializer {
  return { kind: 'uniform', scale: expectFloat32('scale', scale, 0) }
}

/** Normal around 0 with standard deviation sigma. */
export function normal(sigma = 0.01): Initializer {
  return { kind: 'normal', scale: expectFloat32('sigma', sigma, 0, belowSigma) }
}

/** Zero. */
export function zeros(): Initializer {
  return { kind: 'zeros' }
}

/**
 * An initializer that may not come from the functions above, checked as they check it.
 * @internal
 */
export function checkInitializer(init: unknown): Initializer {
  const { kind, scale } = readOnce<Initializer>('init', init, ['kind', 'scale'])
  switch (kind) {
    case 'xavier':
    case 'zeros':
      refuseUnknownKeys(kind, init, { kind: true })
      return { kind }
    case 'uniform':
    case 'normal':
      refuseUnknownKeys(kind, init, { kind: true, scale: true })
      return kind === 'uniform' ? uniform(scale as number) : normal(scale as number)
    default:
      throw unexpected('init', 'an initializer, such as xavier(),', init)
  }
}
