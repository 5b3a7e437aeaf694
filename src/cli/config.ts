/** `--config FILE.json`: options in a file, by the words of the command line, which has the last one. */

import { readFile } from 'node:fs/promises'
import { messageOf } from '../errors.js'
import { show } from '../expect.js'
import { type Options, UsageError, type Values } from './options.js'

/** The arguments, and before them what the file says that they name, where they do not say it themselves. */
export async function withConfig(args: readonly string[], options: Options): Promise<string[]> {
  const path = configOf(args)
  if (path === undefined) return [...args]
  const given = await read(path)
  const stranger = Object.keys(given).find((name) => name === 'config' || !Object.hasOwn(options, name))
  if (stranger !== undefined) {
    const known = Object.keys(options).filter((name) => name !== 'config')
    throw new UsageError(`Unknown option ${show(stranger)} in ${path}; it takes ${known.join(', ')}.`)
  }
  const isSaid = (name: string) => args.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`))
  const words = Object.entries(given).filter(([name]) => !isSaid(name))
  return [...words.flatMap(([name, value]) => wordsOf(path, name, value, options)), ...args]
}

/** The values that there are, as a file of options has them. */
export function configText<O extends Options>(values: Values<O>): string {
  const isSaid = ([name, value]: [string, unknown]) => {
    return !['config', 'print-config'].includes(name) && value !== undefined && value !== false
  }
  return JSON.stringify(Object.fromEntries(Object.entries(values).filter(isSaid)), null, 2)
}

function configOf(args: readonly string[]): string | undefined {
  const at = args.findIndex((arg) => arg === '--config' || arg.startsWith('--config='))
  const [, value] = /=(.*)/s.exec(args[at] ?? '') ?? []
  return at < 0 ? undefined : (value ?? args[at + 1])
}

async function read(path: string): Promise<Record<string, unknown>> {
  const refuse = (reason: string) => new UsageError(`Cannot read options from ${path}: ${reason}.`)
  const text = await readFile(path, 'utf8').catch((error) => {
    throw refuse(error.code === 'ENOENT' ? 'there is no such file' : messageOf(error))
  })
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch (error) {
    throw refuse(`it is no JSON (${messageOf(error)})`)
  }
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as Record<string, unknown>
  throw refuse('it holds no object, such as { "epochs": 10 }')
}

/** One option as the command line would have it. */
function wordsOf(path: string, name: string, value: unknown, options: Options): string[] {
  const isFlag = options[name]?.type === 'boolean'
  if (isFlag && value === false) return []
  if (isFlag ? value === true : typeof value === 'string' || typeof value === 'number') {
    return [isFlag ? `--${name}` : `--${name}=${value}`]
  }
  const expected = isFlag ? 'true or false' : 'a string or a number'
  throw new UsageError(`Expected ${expected} for ${show(name)} in ${path}, but received ${show(value)}.`)
}
