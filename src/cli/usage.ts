import { type ParseArgsConfig, parseArgs } from 'node:util'
import { type Device, expectDevice } from '../network/devices.js'
import type { InitializeOptions } from '../network/settings.js'

export const usage = `candlewick: train LeNet on Fashion-MNIST

  candlewick train           train and print the figures of each epoch
    --epochs 5               times through the training images
    --batch-size 256         images of a step
    --learning-rate 0.9
    --seed N                 decides weights and shuffling; drawn at random, and printed, by default
    --init FILE.safetensors  start from these parameters
    --no-shuffle             take the images in the order of the file
    --save FILE.safetensors  write the parameters after the last epoch
  candlewick evaluate FILE   loss and accuracy of saved parameters on the test images
  candlewick summary         layers, output shapes and parameter counts
  candlewick devices         what there is to run on

  --device auto|cpu|cuda:0   (train, evaluate) auto takes a GPU if there is one
  --threads N                (train, evaluate) CPU threads; all processors by default
  --data DIR                 (train, evaluate) a folder with the four IDX files of Fashion-MNIST, MNIST or the like
  --json                     one JSON object a line instead of text; numbers that are not finite are strings, as "NaN"

CANDLEWICK_ISA=avx512|avx2|neon|portable uses this instruction set instead of the best; the result is the same.
CANDLEWICK_DEBUG=1 prints the stack of an error. Exit codes: 0 done, 1 failure or numbers that are not finite, 2 bad usage,
130 after Ctrl-C; of SIGTERM and SIGHUP it dies, which shells call 143 and 129.`

/** A command line that cannot be understood. */
export class UsageError extends Error {}

/** Options of every command that runs a network. */
export const runOptions = {
  threads: { type: 'string' },
  device: { type: 'string' },
  data: { type: 'string' },
  json: { type: 'boolean' },
} as const

type Options = NonNullable<ParseArgsConfig['options']>
type Parsed<T extends Options> = ReturnType<typeof parseArgs<{ options: T; allowPositionals: true; strict: true }>>

/** The options that this command knows and up to `most` other arguments. */
export function parse<T extends Options>(
  args: string[],
  options: T,
  most = 0,
): Pick<Parsed<T>, 'values' | 'positionals'> {
  const { values, positionals, tokens } = understand(() =>
    parseArgs({ args, options, allowPositionals: true, strict: true, tokens: true }),
  )
  const extra = positionals[most]
  if (extra !== undefined) throw new UsageError(`Unexpected argument "${extra}".`)
  const empty = Object.entries(values).find(([, value]) => value === '')
  if (empty) throw new UsageError(`Expected a value for --${empty[0]}, but received "".`)
  const names = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []))
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw new UsageError(`Expected --${twice} once, but received it twice.`)
  return { values, positionals }
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

/** `--name value` as an integer of at least `least`. */
export function integer(
  name: string,
  value: string | undefined,
  least: number,
  most = 2 ** 31 - 1,
): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (/^\d+$/.test(value) && number >= least && number <= most) return number
  throw new UsageError(`Expected an integer from ${least} to ${most} for --${name}, but received "${value}".`)
}

/** `--name value` as a decimal number of at least 0 that float32 can hold. */
export function number(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  const rounded = Math.fround(number)
  const isHeld = Number.isFinite(rounded) && (rounded !== 0 || number === 0)
  if (/^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value) && isHeld) return number
  throw new UsageError(`Expected a number, 0 or from 1e-45 to 3.4e38, for --${name}, but received "${value}".`)
}

/** `--data`, as `fashionMnist` takes it. */
export function dataFolder({ data }: { data?: string | undefined }): { dir?: string } {
  return data === undefined ? {} : { dir: data }
}

/** `--device` and `--threads`, as `initialize` takes them. */
export function placement(values: { device?: string | undefined; threads?: string | undefined }): InitializeOptions {
  const threads = integer('threads', values.threads, 1, 1024)
  return { ...device(values.device), ...(threads === undefined ? {} : { threads }) }
}

function device(value: string | undefined): { device?: Device } {
  if (value === undefined || value === 'auto') return {}
  if (value === 'cpu' || /^cuda:\d+$/.test(value)) return { device: expectDevice(value) }
  throw new UsageError(`Expected auto, cpu or cuda: and a number for --device, but received "${value}".`)
}
