/** Options of the command line as data: how each stands in the help, and what its value is read as. */

import { parseArgs } from 'node:util'

/** A command line that cannot be understood. */
export class UsageError extends Error {}

export interface Option<T> {
  type: 'string' | 'boolean'
  /** What stands for the value in the help: its default, if there is one. */
  shown: string
  help: string
  /** The value for `--name`, of what was given, if anything was. */
  read(name: string, given: string | undefined): T
}

export type Options = Readonly<Record<string, Option<unknown>>>

/** What options were read as, by their names. */
export type Values<O extends Options> = { readonly [K in keyof O]: ReturnType<O[K]['read']> }

/** Reads the value of an option. */
export type Reader<T> = (name: string, given: string) => T

/** `--name` alone. */
export function flag(help: string): Option<boolean> {
  return { type: 'boolean', shown: '', help, read: (_, given) => given !== undefined }
}

/** `--name VALUE`, which may be left out. */
export function option<T>(shown: string, read: Reader<T>, help: string): Option<T | undefined> {
  return {
    type: 'string',
    shown,
    help,
    read: (name, given) => (given === undefined ? undefined : read(name, given)),
  }
}

/** `--name VALUE`, which is `otherwise` where it is left out. */
export function optionWithDefault<T>(otherwise: T, read: Reader<T>, help: string): Option<T> {
  const { type, shown, ...optional } = option(String(otherwise), read, help)
  return { type, shown, help, read: (name, given) => optional.read(name, given) ?? otherwise }
}

/** The values of these options and up to `most` other arguments. */
export function parse<O extends Options>(
  args: string[],
  options: O,
  most: number,
): { values: Values<O>; positionals: string[] } {
  const types = Object.fromEntries(Object.entries(options).map(([name, { type }]) => [name, { type }]))
  const { values, positionals, tokens } = understand(() =>
    parseArgs({ args, options: types, allowPositionals: true, strict: true, tokens: true }),
  )
  const extra = positionals[most]
  if (extra !== undefined) throw new UsageError(`Unexpected argument "${extra}".`)
  const empty = Object.entries(values).find(([, value]) => value === '')
  if (empty) throw new UsageError(`Expected a value for --${empty[0]}, but received "".`)
  const names = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw new UsageError(`Expected --${twice} once, but received it twice.`)
  const given = (name: string) => (values[name] === undefined ? undefined : String(values[name]))
  const read = Object.entries(options).map(([name, one]) => [name, one.read(name, given(name))])
  return { values: Object.fromEntries(read), positionals }
}

/** Of Node's errors the first sentence: it adds advice on how to pass values that begin with a dash. */
function understand<T>(parsing: () => T): T {
  try {
    return parsing()
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\.? *\n|\. /)
    throw new UsageError(`${sentence?.replace(/\.$/, '')}.`)
  }
}

/** A value as it stands. */
export function text(_name: string, given: string): string {
  return given
}

/** One of these words. */
export function oneOf<T extends string>(words: readonly T[]): Reader<T> {
  return (name, given) => {
    const word = words.find((known) => known === given)
    if (word !== undefined) return word
    throw new UsageError(`Expected ${words.join(' or ')} for --${name}, but received "${given}".`)
  }
}

/** An integer of at least `least`. */
export function integer(least: number, most = 2 ** 31 - 1): Reader<number> {
  return (name, given) => {
    const number = Number(given)
    if (/^\d+$/.test(given) && number >= least && number <= most) return number
    throw new UsageError(`Expected an integer from ${least} to ${most} for --${name}, but received "${given}".`)
  }
}

/** A decimal number of at least 0 that float32 can hold. */
export function decimal(name: string, given: string): number {
  const number = Number(given)
  const rounded = Math.fround(number)
  const isHeld = Number.isFinite(rounded) && (rounded !== 0 || number === 0)
  if (/^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(given) && isHeld) return number
  throw new UsageError(`Expected a number, 0 or from 1e-45 to 3.4e38, for --${name}, but received "${given}".`)
}
