import { readOnce, show, unexpected } from '../expect.js'

/** The function at the end of a layer, applied to each value: a name, or an object of a `kind` with settings. */
export type Activation = 'sigmoid' | 'relu' | 'tanh'

type Kind<A> = A extends { readonly kind: infer K extends string } ? K : A extends string ? A : never

/** What checks an activation of each kind; the compiler sees that none is missing. Those without settings are names. */
const activations: Readonly<Record<Kind<Activation>, (given: unknown) => Activation>> = {
  sigmoid: named,
  relu: named,
  tanh: named,
}

/**
 * An activation as it is now, checked as its function checks it.
 * @internal
 */
export default function checkActivation(given: unknown): Activation {
  const kind = typeof given === 'string' ? given : readOnce<{ kind: string }>('activation', given, ['kind']).kind
  if (typeof kind === 'string' && Object.hasOwn(activations, kind)) return activations[kind as Kind<Activation>](given)
  throw unknown(given)
}

function named(given: unknown): Activation {
  if (typeof given === 'string') return given as Activation
  throw unknown(given)
}

function unknown(given: unknown) {
  const known = Object.entries(activations).map(([kind, check]) => (check === named ? show(kind) : `${kind}(...)`))
  return unexpected('activation', `one of ${known.join(', ')}`, given)
}
