import { access, constants, stat } from 'node:fs/promises'
import { CandlewickError } from '../errors.js'
import type { Sequential } from '../network/sequential.js'
import type { PresetName } from './presets.js'

/** Better before the data is loaded than after it: a file of parameters that cannot be read. */
export async function checkReadable(path: string): Promise<void> {
  const failed = (reason: string, cause?: unknown) => {
    const message = `Cannot read parameters from ${path}: ${reason}; name a file that candlewick train wrote.`
    return new CandlewickError('CHECKPOINT_NOT_FOUND', message, { cause })
  }
  const found = await stat(path).catch((cause) => {
    throw failed(cause.code === 'ENOENT' ? 'there is no such file' : cause.message, cause)
  })
  if (!found.isFile()) throw failed(found.isDirectory() ? 'it is a folder' : 'it is no file')
  await access(path, constants.R_OK).catch((cause) => {
    throw failed('it may not be read', cause)
  })
}

/** Loads what was saved of a preset's network; where the file is of another, the error says which was expected. */
export async function loadPreset(net: Sequential, preset: PresetName, path: string): Promise<void> {
  try {
    await net.loadParameters(path)
  } catch (cause) {
    if (!(cause instanceof CandlewickError) || cause.code !== 'CHECKPOINT_INVALID') throw cause
    const message = `${cause.message.replace(/\.$/, '')}; it was taken for a file of --preset ${preset}.`
    throw new CandlewickError(cause.code, message, { cause })
  }
}

/** The first parameter that holds NaN or an infinity, as in `conv0.weight`. */
export async function brokenParameter(net: Sequential): Promise<string | undefined> {
  const parameters = Object.entries(await net.parameters())
  return parameters.find(([, { data }]) => !data.every(Number.isFinite))?.[0]
}
