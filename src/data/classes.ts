/** The names of classes, by their labels. */

import { CandlewickError } from '../errors.js'
import { reading, unexpected } from '../expect.js'

/** A copy of names that nobody changes, all of them different. */
export function checkClasses(given: unknown): readonly string[] | undefined {
  if (given === undefined) return undefined
  const names = reading('classes', () => (Array.isArray(given) ? Array.from(given as unknown[]) : undefined))
  if (!names || names.length === 0) throw unexpected('classes', "an array of names, such as ['cat', 'dog'],", given)
  const seen = new Set<unknown>()
  for (const [i, name] of names.entries()) {
    if (typeof name !== 'string' || name === '') throw unexpected(`classes[${i}]`, 'a name', name)
    if (seen.has(name)) throw unexpected(`classes[${i}]`, 'a name that no other class has', name)
    seen.add(name)
  }
  return Object.freeze(names as string[])
}

/** Names for labels up to `largest`. */
export function requireNames(classes: readonly string[] | undefined, largest: number): readonly string[] | undefined {
  if (!classes || largest < classes.length) return classes
  const message = `There are labels up to ${largest}, but ${classes.length} names in classes; give ${largest + 1}, one for each label from 0 on.`
  throw new CandlewickError('INVALID_ARGUMENT', message)
}

/** The names of what two datasets make together: those of both, or of the one that has some. */
export function commonClasses(
  own: readonly string[] | undefined,
  others: readonly string[] | undefined,
): readonly string[] | undefined {
  if (!own || !others) return own ?? others
  const i = Array.from({ length: Math.max(own.length, others.length) }, (_, i) => i).find((i) => own[i] !== others[i])
  if (i === undefined) return own
  const name = (names: readonly string[]) => (names[i] === undefined ? 'none' : JSON.stringify(names[i]))
  const message = `The datasets' classes differ: ${name(own)} and ${name(others)} for label ${i}; give both the same names, in one order.`
  throw new CandlewickError('DATA_MISMATCH', message)
}
