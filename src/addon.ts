/** The one door to the addon: nothing else imports it, and what fails in it is here given its code and its sentence. */

import { CandlewickError, errorCodes, isOutOfMemory, messageOf } from './errors.js'
import { loadAddon } from './load-addon.js'
import type * as Native from './native.js'

const native = loadAddon()

export const {
  checkDevice,
  checkRoom,
  checkSavePath,
  createEngine,
  Dataset: NativeDataset,
  DatasetBuilder,
  describe: describeLayers,
  devices: listDevices,
  ImageFeed,
  layerNames,
  PictureProgress,
  Progress,
  parameterList,
  picturesBelow,
  preparePictures,
  readNetwork,
  readRun,
  scanPictures,
  Tally,
  version,
} = native

export type NativeDataset = Native.Dataset
export type DatasetBuilder = Native.DatasetBuilder
export type ImageFeed = Native.ImageFeed
export type PictureProgress = Native.PictureProgress
export type Progress = Native.Progress
export type Tally = Native.Tally
export type { Answers, DeviceReport, Engine, LoadedPictures, PictureFolder, SavedRun, Sums } from './native.js'

/** Calls the addon. */
export function callAddon<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw translated(error)
  }
}

/** Calls the addon and waits for it. The stack of an error is the caller's, not the addon's thread's. */
export async function callAddonAsync<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw translated(error)
  }
}

/** The addon's errors read `CODE: sentence`; any other is a defect, unless it is for want of memory. */
function translated(error: unknown): CandlewickError {
  if (error instanceof CandlewickError) return error
  const whole = withoutBacktrace(messageOf(error))
  const [, name, message] = /^([A-Z_]+): (.+)$/s.exec(whole) ?? []
  const code = errorCodes.find((known) => known === name)
  if (code && message) return new CandlewickError(code, sentence(message))
  if (isOutOfMemory(error)) {
    const lack = `There is not enough memory (${whole}); free some first.`
    return new CandlewickError('OUT_OF_MEMORY', lack, { cause: error })
  }
  const defect = `candlewick failed in a way it should not (${whole}); please report it.`
  return new CandlewickError('INTERNAL', defect, { cause: error })
}

/** With RUST_BACKTRACE=1, some errors of Rust's carry the frames that led to them, a line or two for each. */
function withoutBacktrace(message: string): string {
  return message.replace(/\s*\n\s*(?:stack backtrace:|\d+: |at )[^\n]*?(?=\n|$|\)[;,.])/gi, '')
}

/** Rust's errors begin small and end without a full stop; a leading name such as `conv0` stays as it is. */
function sentence(message: string): string {
  return `${message.replace(/^[a-z]+(?= )/, (word) => word.charAt(0).toUpperCase() + word.slice(1)).replace(/\.$/, '')}.`
}
