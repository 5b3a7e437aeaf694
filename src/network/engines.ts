import { show, unexpected } from '../expect.js'

/**
 * What runs a network: `'fused'` is candlewick's own arithmetic, the fast one; `'candle'` is the reference, slow and plainly
 * right, made of candle's tensors and gradients.
 */
export type EngineName = 'fused' | 'candle'

/** The compiler sees that none is missing. */
const engines: Readonly<Record<EngineName, true>> = { fused: true, candle: true }

export const engineNames = Object.keys(engines) as readonly EngineName[]

/** The engine of a network that names none. */
export const defaultEngine: EngineName = 'fused'

/**
 * An engine that there is.
 * @internal
 */
export function expectEngine(value: unknown): EngineName {
  const engine = engineNames.find((name) => name === value)
  if (engine) return engine
  throw unexpected('engine', engineNames.map(show).join(' or '), value)
}
