/** Where arguments are checked: once, at the border, with one form of sentence. */

import { CandlewickError } from './errors.js'

/** A value as a person would write it, cut to a readable length. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return 'a function'
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of length ${'length' in value ? value.length : '?'}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'number' || typeof value === 'symbol') return String(value)
  try {
    const text = JSON.stringify(value) ?? String(value)
    return text.length > 60 ? `${text.slice(0, 57)}...` : text
  } catch {
    return String(value)
  }
}

/** "Expected an integer of at least 1 for batchSize, but received 1.5." */
export function unexpected(name: string, expected: string, value: unknown): CandlewickError {
  return new CandlewickError('INVALID_ARGUMENT', `Expected ${expected} for ${name}, but received ${show(value)}.`)
}

export function expectInteger(name: string, value: unknown, least: number, most = 2 ** 31 - 1): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  const range = most === 2 ** 31 - 1 ? `of at least ${least}` : `from ${least} to ${most}`
  throw unexpected(name, `an integer ${range}`, value)
}

export function expectNumber(name: string, value: unknown, least: number, below = Number.POSITIVE_INFINITY): number {
  if (typeof value === 'number' && value >= least && value < below) return value
  const range = below === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to below ${below}`
  throw unexpected(name, `a finite number ${range}`, value)
}

/** A number for both directions, or [vertical, horizontal]. */
export function expectPair(name: string, value: unknown, least: number): [number, number] {
  if (Array.isArray(value) && value.length === 2) {
    return [expectInteger(`${name}[0]`, value[0], least), expectInteger(`${name}[1]`, value[1], least)]
  }
  if (typeof value !== 'number') throw unexpected(name, 'an integer or a pair of integers', value)
  const side = expectInteger(name, value, least)
  return [side, side]
}

export function expectOneOf<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const choice = choices.find((c) => c === value)
  if (choice === undefined) throw unexpected(name, `one of ${choices.map(show).join(', ')}`, value)
  return choice
}

export function expectString(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw unexpected(name, 'a string', value)
}

export function expectBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw unexpected(name, 'true or false', value)
}

export function expectSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value
  throw unexpected('signal', 'an AbortSignal', value)
}

/** An options object whose keys are all known, so that a typo is not silently ignored. */
export function expectOptions(name: string, value: unknown, keys: readonly string[]): void {
  if (typeof value !== 'object' || value === null) throw unexpected(name, 'an object of options', value)
  const stranger = Object.keys(value).find((key) => !keys.includes(key))
  if (stranger === undefined) return
  const message = `Unknown option ${show(stranger)} for ${name}; it takes ${keys.join(', ') || 'none'}.`
  throw new CandlewickError('INVALID_ARGUMENT', message)
}
