/** Options that several commands take. */

import { type Device, expectDevice } from '../network/devices.js'
import { flag, integer, option, text, UsageError, type Values } from './options.js'

export const json = flag('one JSON object a line instead of text; numbers that are not finite are strings, as "NaN"')

/** Options of every command that runs a network on data. */
export const runOptions = {
  device: option('auto|cpu|cuda:0', device, 'auto takes a GPU if there is one'),
  threads: option('N', integer(1, 1024), 'CPU threads; all processors by default'),
  data: option('DIR', text, 'a folder with the four IDX files of Fashion-MNIST, MNIST or the like'),
  json,
}

/** `--data`, as `fashionMnist` takes it. */
export function dataFolder({ data }: Values<typeof runOptions>): { dir?: string } {
  return data === undefined ? {} : { dir: data }
}

/** `--device` and `--threads`, as `initialize` takes them. */
export function placement({ device, threads }: Values<typeof runOptions>): { device?: Device; threads?: number } {
  return { ...(device === undefined ? {} : { device }), ...(threads === undefined ? {} : { threads }) }
}

function device(name: string, given: string): Device | undefined {
  if (given === 'auto') return undefined
  if (given === 'cpu' || /^cuda:\d+$/.test(given)) return expectDevice(given)
  throw new UsageError(`Expected auto, cpu or cuda: and a number for --${name}, but received "${given}".`)
}
