/** Where arguments are checked: once, at the border, with one form of sentence. What is checked is a copy, read once. */

import { isAbsolute } from 'node:path'
import process from 'node:process'
import { inspect, types } from 'node:util'
import { adviceOnCopies, type Class, homeOfNamesake } from './copies.js'
import { CandlewickError, messageOf } from './errors.js'

const mostShown = 60 // characters
const manyKeys = 100

/** A value as a person would write it, cut to a readable length, in little time however large it is. Never throws. */
export function show(value: unknown): string {
  try {
    const lines = typeof value === 'object' && value !== null ? showObject(value) : showPrimitive(value)
    const [text] = lines.split('\n', 1) as [string]
    return text.length > mostShown ? `${text.slice(0, mostShown - 3)}...` : text
  } catch {
    return 'an object that cannot be read'
  }
}

function showPrimitive(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, mostShown))
  if (typeof value === 'function') return 'a function'
  // The digits of a huge one would take seconds.
  if (typeof value === 'bigint')
    return BigInt.asIntN(64, value) === value ? `${value}n` : 'a bigint of more than 64 bits'
  return Object.is(value, -0) ? '-0' : String(value)
}

function showObject(value: object): string {
  if (types.isProxy(value)) return `a proxy of ${showPlain(value)}`
  if (types.isPromise(value)) return 'a promise; await it first'
  if (types.isNativeError(value)) return `an error (${messageOf(value)})`
  if (types.isTypedArray(value)) return `${typedArrayName(value)} of length ${typedArrayLength(value)}`
  if (!Array.isArray(value) && Object.keys(value).length > manyKeys) return 'an object of many keys'
  return showPlain(value)
}

/** Runs no code of the value's: no getters, no traps of proxies. */
function showPlain(value: object): string {
  const limits = { depth: 0, maxArrayLength: 8, maxStringLength: mostShown, customInspect: false }
  return inspect(value, { ...limits, breakLength: Number.POSITIVE_INFINITY, compact: true })
}

// The getters that all typed arrays share tell the truth, whatever a subclass says and from whichever realm one is.
const typedArrayPrototype = Object.getPrototypeOf(Uint8Array.prototype)

function typedArrayGetter<T>(name: string | symbol): (array: ArrayBufferView) => T {
  const getter = Object.getOwnPropertyDescriptor(typedArrayPrototype, name)?.get as () => T
  return (array) => getter.call(array)
}

const typedArrayName = typedArrayGetter<string>(Symbol.toStringTag)

export const typedArrayLength = typedArrayGetter<number>('length')
export const typedArrayBuffer = typedArrayGetter<ArrayBufferLike>('buffer')
export const typedArrayOffset = typedArrayGetter<number>('byteOffset')

/** "Expected an integer of at least 1 for batchSize, but received 1.5." */
export function unexpected(name: string, expected: string, value: unknown): CandlewickError {
  return new CandlewickError('INVALID_ARGUMENT', `Expected ${expected} for ${name}, but received ${show(value)}.`)
}

/** Runs code of the caller's, as reading an argument may: getters and proxies can throw anything. */
export function reading<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof CandlewickError) throw cause
    throw new CandlewickError('INVALID_ARGUMENT', `${name} cannot be read: ${messageOf(cause)}.`, { cause })
  }
}

export function expectInteger(name: string, value: unknown, least: number, most = 2 ** 31 - 1): number {
  // -0 becomes 0
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value + 0
  const range = most === 2 ** 31 - 1 ? `of at least ${least}` : `from ${least} to ${most}`
  throw unexpected(name, `an integer ${range}`, value)
}

function expectNumber(name: string, value: unknown, least: number, below: number): number {
  if (typeof value === 'number' && value >= least && value < below) return value
  const range = below === Number.POSITIVE_INFINITY ? `of at least ${least}` : `from ${least} to below ${below}`
  throw unexpected(name, `a finite number ${range}`, value)
}

/** A number for the engine, which counts in float32: it must be in the range there too, and not vanish. */
export function expectFloat32(name: string, value: unknown, least: number, below = Number.POSITIVE_INFINITY): number {
  const number = expectNumber(name, value, least, below)
  const rounded = Math.fround(number)
  if (rounded < below && (rounded !== 0 || number === 0)) return number
  const advice = rounded === 0 ? '0 or a larger one' : 'a smaller one'
  const received = `but received ${show(value)}, which rounds to ${rounded} there; give ${advice}`
  throw new CandlewickError('INVALID_ARGUMENT', `Expected a number that float32 keeps for ${name}, ${received}.`)
}

/** A number of a range with its ends; never -0, which JSON would not keep. */
export function expectWithin(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value + 0
  throw unexpected(name, `a number from ${least} to ${most}`, value)
}

/** A part of a whole. */
export function expectShare(name: string, value: unknown): number {
  return expectWithin(name, value, 0, 1)
}

/** A number for the engine, which divides by it. */
export function expectAbove0(name: string, value: unknown): number {
  if (typeof value !== 'number' || !(value > 0)) throw unexpected(name, 'a finite number above 0', value)
  return expectFloat32(name, value, 0)
}

/** An array of `length` integers of at least `least`, as a copy. */
export function expectIntegers(
  name: string,
  expected: string,
  value: unknown,
  length: number,
  least: number,
): number[] {
  const copy = copyOfArray(name, value, length)
  if (!copy) throw unexpected(name, expected, value)
  return copy.map((element, i) => expectInteger(`${name}[${i}]`, element, least))
}

/** A number for both directions, or [vertical, horizontal]. */
export function expectPair(name: string, value: unknown, least: number): [number, number] {
  const expected = 'an integer or a pair of integers'
  if (typeof value === 'object') return expectIntegers(name, expected, value, 2, least) as [number, number]
  if (typeof value !== 'number') throw unexpected(name, expected, value)
  const side = expectInteger(name, value, least)
  return [side, side]
}

/** The elements of an array of this length, without holes; undefined for anything else. */
export function copyOfArray(name: string, value: unknown, length: number): unknown[] | undefined {
  return reading(name, () => {
    if (!Array.isArray(value) || value.length !== length) return undefined
    return Array.from({ length }, (_, i) => value[i] as unknown)
  })
}

export function expectString(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw unexpected(name, 'a string', value)
}

/** A relative path starts where the process is at the call, wherever it is when the call's turn comes. Nothing else is changed. */
export function expectPath(name: string, value: unknown): string {
  const path = expectString(name, value)
  return isAbsolute(path) ? path : reading(name, () => `${process.cwd()}/${path}`)
}

export function expectBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw unexpected(name, 'true or false', value)
}

/** One of these words. */
export function expectOneOf<const T extends string>(name: string, words: readonly T[], value: unknown): T {
  const word = words.find((word) => word === value)
  if (word !== undefined) return word
  throw unexpected(name, words.map((word) => show(word)).join(' or '), value)
}

type ActiveSignal = Pick<AbortSignal, 'aborted' | 'addEventListener' | 'removeEventListener' | 'throwIfAborted'>

const signalKeys: Keys<ActiveSignal> = {
  aborted: true,
  addEventListener: true,
  removeEventListener: true,
  throwIfAborted: true,
}

/** By what it does: signals of another realm, such as jsdom's, are none by their class. */
export function expectSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined
  const { aborted, ...methods } = readOnce<ActiveSignal>('signal', value, signalKeys)
  const acts = Object.values(methods).every((method) => typeof method === 'function')
  if (typeof aborted === 'boolean' && acts) return value as AbortSignal
  throw unexpected('signal', 'an AbortSignal', value)
}

/**
 * An instance of one of candlewick's own classes, marked by `markClass`. A proxy of one is none: private fields do not pass
 * through it.
 */
export function expectInstance<T extends object>(name: string, expected: string, value: unknown, type: Class<T>): T {
  if (typeof value !== 'object' || value === null) throw unexpected(name, expected, value)
  if (types.isProxy(value)) {
    const message = `Expected ${expected} for ${name}, but received a proxy; pass what it stands for (toRaw in Vue).`
    throw new CandlewickError('INVALID_ARGUMENT', message)
  }
  if (value instanceof type) return value as T
  const home = homeOfNamesake(value, type)
  if (home === undefined) throw unexpected(name, expected, value)
  const message = `Expected ${expected} for ${name}, but received one ${adviceOnCopies(home)}.`
  throw new CandlewickError('INVALID_ARGUMENT', message)
}

/** All keys of an options object; the compiler sees that none is forgotten or misspelt. */
export type Keys<T> = Record<keyof T, true>

/** Values that are not checked yet. */
export type Unchecked<T> = { readonly [K in keyof T]?: unknown }

/** Properties of an object, own or inherited, each read once; none of what is no object. */
export function readOnce<T>(name: string, value: unknown, keys: Record<keyof T, unknown>): Unchecked<T> {
  if (typeof value !== 'object' || value === null) return {}
  const names = Object.keys(keys) as (keyof T)[]
  return reading(name, () => Object.fromEntries(names.map((key) => [key, (value as T)[key]]))) as Unchecked<T>
}

/** The values of an options object, whose keys must all be known, so that a typo is not silently ignored. */
export function expectOptions<T>(name: string, value: unknown, keys: Record<keyof T, unknown>): Unchecked<T> {
  refuseUnknownKeys(name, value, keys)
  return readOnce<T>(`The options of ${name}`, value, keys)
}

/** What checks each setting; one that may be left out is then `undefined`, for which its check knows a default. */
export type Checks<T> = { readonly [K in keyof T]-?: (value: unknown) => T[K] }

/** Settings that were given as options, each checked. */
export function expectSettings<T>(name: string, value: unknown, checks: Checks<T>): Required<T> {
  const given = expectOptions<T>(name, value, checks)
  const keys = Object.keys(checks) as (keyof T)[]
  return Object.fromEntries(keys.map((key) => [key, checks[key](given[key])])) as Required<T>
}

export function refuseUnknownKeys(name: string, value: unknown, keys: object): void {
  const given = reading(`The options of ${name}`, () => {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : undefined
  })
  if (!given) throw unexpected(name, 'an object of options', value)
  const stranger = given.find((key) => !Object.hasOwn(keys, key))
  if (stranger === undefined) return
  const known = Object.keys(keys).join(', ') || 'none'
  const message = `Unknown option ${show(stranger)} for ${name}; it takes ${known}.`
  throw new CandlewickError('INVALID_ARGUMENT', message)
}
