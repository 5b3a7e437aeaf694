/** Options that several commands take. */

import { type Device, expectDevice } from '../network/devices.js'
import { defaultEngine, type EngineName, engineNames } from '../network/engines.js'
import { flag, integer, oneOf, option, optionWithDefault, text, UsageError, type Values } from './options.js'
import { type PresetName, presetNames } from './presets.js'

export const json = flag('one JSON object a line instead of text; numbers that are not finite are strings, as "NaN"')

export const preset = option<PresetName>(
  'lenet',
  oneOf(presetNames),
  'lenet, or modern: modernLeNet, trained by its recipe; of pictures modern; evaluate asks the file',
)

export const engine = optionWithDefault<EngineName>(
  defaultEngine,
  oneOf(engineNames),
  `${engineNames.join(' or ')}, the slow reference`,
)

/** Options of every command that runs a network on data. */
export const runOptions = {
  preset,
  engine,
  device: option('auto|cpu|cuda:0', device, 'auto takes a GPU if there is one; candle takes metal too'),
  threads: option('N', integer(1, 1024), 'CPU threads; all processors by default'),
  data: option('DIR', text, 'a folder with the four IDX files of Fashion-MNIST, MNIST or the like'),
  json,
}

/** `--data`, as `fashionMnist` takes it. */
export function dataFolder({ data }: Pick<Values<typeof runOptions>, 'data'>): { dir?: string } {
  return data === undefined ? {} : { dir: data }
}

/** `--engine`, `--device` and `--threads`, as `initialize` takes them; the device is one that the engine can run on. */
export function placement({
  engine,
  device,
  threads,
}: Pick<Values<typeof runOptions>, 'engine' | 'device' | 'threads'>) {
  const place: { engine: EngineName; device?: Device; threads?: number } = { engine }
  if (device !== undefined) place.device = expectDevice(device, engine)
  if (threads !== undefined) place.threads = threads
  return place
}

function device(name: string, given: string): Device | undefined {
  if (given === 'auto') return undefined
  if (/^(cpu|metal|cuda:\d+)$/.test(given)) return given as Device
  throw new UsageError(`Expected metal, auto, cpu or cuda: and a number for --${name}, but received "${given}".`)
}
