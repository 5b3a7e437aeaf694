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

/** What makes an initializer of each kind; the compiler sees that none is missing. */
const initializers: Readonly<Record<Initializer['kind'], (scale?: number) => Initializer>> = {
  xavier,
  uniform,
  normal,
  zeros,
}

/**
 * An initializer that may not come from the functions above, checked as they check it.
 * The default export, as src/index.ts passes on all names of this file.
 * @internal
 */
export default function checkInitializer(init: unknown): Initializer {
  const { kind, scale } = readOnce<Initializer>('init', init, { kind: true, scale: true })
  if (typeof kind !== 'string' || !Object.hasOwn(initializers, kind)) {
    throw unexpected('init', 'an initializer, such as xavier(),', init)
  }
  const made = initializers[kind as Initializer['kind']](scale as number | undefined)
  refuseUnknownKeys(kind, init, made)
  return made
}
