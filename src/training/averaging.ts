import { type Checks, expectFloat32, expectSettings, readOnce, unexpected } from '../expect.js'

/** How parameters are averaged, from {@link ema} or made by hand. */
export interface Averaging {
  /** Its name in JSON. */
  readonly kind: 'ema'
  /** 0 to below 1: what the average keeps of itself in a step. */
  readonly decay: number
}

/**
 * A moving average that forgets exponentially. It begins as the parameters are before the first step; after the t-th,
 * average += (1 - d) · (w - average), where d = min(decay, (1 + t) / (10 + t)), so that of the first steps little stays.
 */
export function ema(decay: number): Averaging {
  return { kind: 'ema', decay: expectFloat32('decay', decay, 0, 1) }
}

const settings: Checks<Averaging> = {
  kind: () => 'ema',
  decay: (value) => expectFloat32('decay', value, 0, 1),
}

/**
 * An optimiser's `averaging`, which may be made by hand.
 * @internal
 */
export default function checkAveraging(value: unknown): Averaging | undefined {
  if (value === undefined) return undefined
  const { kind } = readOnce<{ kind: string }>('averaging', value, { kind: true })
  if (kind !== 'ema') throw unexpected('averaging', 'an average, such as ema(0.999),', value)
  return expectSettings('averaging', value, settings)
}
