/** What callbacks remember in a checkpoint. JSON has no NaN and no Infinity: they are strings there. */

import { CandlewickError, messageOf } from '../../errors.js'
import { type Checks, expectSettings, unexpected } from '../../expect.js'

/** What `name` has remembered, checked. */
export function readState<T>(name: string, state: unknown, checks: Checks<T>): Required<T> {
  try {
    return expectSettings(name, state, checks)
  } catch (cause) {
    const message = `The checkpoint does not hold what ${name} would remember: ${messageOf(cause)}`
    throw new CandlewickError('CHECKPOINT_INVALID', message, { cause })
  }
}

export function writeNumber(value: number): number | string {
  return Number.isFinite(value) ? value : String(value)
}

const odd = ['NaN', 'Infinity', '-Infinity']

export function readNumber(name: string, value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value === 'string' && odd.includes(value)) return Number(value)
  throw unexpected(name, 'a number', value)
}
