import { CandlewickError } from '../errors.js'
import {
  type Checks,
  expectAbove0,
  expectFloat32,
  expectOneOf,
  expectSettings,
  readOnce,
  show,
  unexpected,
} from '../expect.js'

/** The function at the end of a layer, applied to each value: a name, or an object of a `kind` with settings. */
export type Activation = 'sigmoid' | 'relu' | 'tanh' | 'silu' | 'hardSwish' | LeakyRelu | Elu | Gelu | Softplus

/** What {@link leakyRelu} makes. */
export interface LeakyRelu {
  /** Its name in JSON. */
  readonly kind: 'leakyRelu'
  /** What a negative value is multiplied by; at least 0. */
  readonly negativeSlope: number
}

/** x, or where it is negative, negativeSlope · x. */
export function leakyRelu(options: { negativeSlope?: number } = {}): LeakyRelu {
  return { kind: 'leakyRelu', ...expectSettings('leakyRelu', options, leakyReluSettings) }
}

const leakyReluSettings: Checks<{ negativeSlope: number }> = {
  /** PyTorch's default. */
  negativeSlope: (value = 0.01) => expectFloat32('negativeSlope', value, 0),
}

/** What {@link elu} makes. */
export interface Elu {
  /** Its name in JSON. */
  readonly kind: 'elu'
  /** What negative values approach, negated; at least 0. */
  readonly alpha: number
}

/** x, or where it is negative, alpha · (eˣ - 1). */
export function elu(options: { alpha?: number } = {}): Elu {
  return { kind: 'elu', ...expectSettings('elu', options, eluSettings) }
}

const eluSettings: Checks<{ alpha: number }> = {
  /** PyTorch's default. */
  alpha: (value = 1) => expectFloat32('alpha', value, 0),
}

/** What {@link gelu} makes. */
export interface Gelu {
  /** Its name in JSON. */
  readonly kind: 'gelu'
  /** Whether it is computed by tanh, or (`'none'`) as it is. */
  readonly approximate: 'none' | 'tanh'
}

/** x Φ(x), where Φ(x) is the share of a standard normal distribution below x; 'tanh' is quicker, and off by 5e-4 at most. */
export function gelu(options: { approximate?: 'none' | 'tanh' } = {}): Gelu {
  return { kind: 'gelu', ...expectSettings('gelu', options, geluSettings) }
}

const geluSettings: Checks<{ approximate: 'none' | 'tanh' }> = {
  approximate: (value = 'none') => expectOneOf('approximate', ['none', 'tanh'], value),
}

/** What {@link softplus} makes. */
export interface Softplus {
  /** Its name in JSON. */
  readonly kind: 'softplus'
  /** How sharp the bend is; above 0. */
  readonly beta: number
  /** Where beta x is above this, the value is x. */
  readonly threshold: number
}

/** ln(1 + e^(beta x)) / beta; where beta x is above the threshold, x. */
export function softplus(options: { beta?: number; threshold?: number } = {}): Softplus {
  return { kind: 'softplus', ...expectSettings('softplus', options, softplusSettings) }
}

const softplusSettings: Checks<{ beta: number; threshold: number }> = {
  /** PyTorch's defaults. */
  beta: (value = 1) => expectAbove0('beta', value),
  threshold: (value = 20) => expectFloat32('threshold', value, 0),
}

type Kind<A> = A extends { readonly kind: infer K extends string } ? K : A extends string ? A : never

/** What checks an activation of each kind; the compiler sees that none is missing. */
const activations: Readonly<Record<Kind<Activation>, (given: unknown) => Activation>> = {
  sigmoid: named,
  relu: named,
  tanh: named,
  leakyRelu: (given) => withKind('leakyRelu', given, leakyReluSettings),
  elu: (given) => withKind('elu', given, eluSettings),
  silu: named,
  gelu: (given) => withKind('gelu', given, geluSettings),
  softplus: (given) => withKind('softplus', given, softplusSettings),
  hardSwish: named,
}

/** One with settings is an object of them and their kind, of which it makes a copy. */
function withKind<K extends string, S>(kind: K, given: unknown, settings: Checks<S>): { kind: K } & Required<S> {
  const checks = { kind: () => kind, ...settings } as Checks<{ kind: K } & S>
  return expectSettings(kind, given, checks) as { kind: K } & Required<S>
}

/** One without settings is its name. */
function named(given: unknown): Activation {
  return given as Activation
}

/**
 * An activation as it is now, checked as its function checks it.
 * The default export, as src/index.ts passes on all names of this file.
 * @internal
 */
export default function checkActivation(given: unknown): Activation {
  const isName = typeof given === 'string'
  const kind = isName ? given : readOnce<{ kind: string }>('activation', given, { kind: true }).kind
  const check = Object.entries(activations).find(([known]) => known === kind)?.[1]
  if (check && (check === named) === isName) return check(given)
  if (kind === 'softmax') {
    const message =
      'Softmax is part of the loss, which takes logits: leave the activation of the last layer out; predict gives probabilities.'
    throw new CandlewickError('INVALID_ARGUMENT', message)
  }
  const known = Object.entries(activations).map(([name, check]) => (check === named ? show(name) : `${name}(...)`))
  throw unexpected('activation', `one of ${known.join(', ')}`, given)
}
