/** What `candlewick` does with its arguments, apart from the process that it does it in. */

import { devicesCommand } from './devices.js'
import { evaluateCommand } from './evaluate.js'
import { summaryCommand } from './summary.js'
import { trainCommand } from './train.js'
import { UsageError, usage } from './usage.js'

export const exitCode = { done: 0, failure: 1, badUsage: 2, interrupted: 130 }

const commands = new Map([
  ['train', trainCommand],
  ['evaluate', evaluateCommand],
  ['summary', summaryCommand],
  ['devices', devicesCommand],
])

/** Runs a command line and returns the exit code; what it throws, {@link explain} puts into words. */
export async function main(args: readonly string[], signal: AbortSignal): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined) {
    console.error(usage)
    return exitCode.badUsage
  }
  if (name === 'help' || args.includes('--help') || args.includes('-h')) {
    console.log(usage)
    return exitCode.done
  }
  const command = commands.get(name)
  if (!command) throw new UsageError(`Unknown command "${name}"; expected one of ${[...commands.keys()].join(', ')}.`)
  await command(rest, signal)
  return exitCode.done
}

/** The line for standard error and the exit code of what {@link main} threw: one sentence, and a stack for who asks. */
export function explain(error: unknown): { line: string; code: number } {
  const isError = error instanceof Error
  const sentence = (process.env.CANDLEWICK_DEBUG && isError && error.stack) || (isError ? error.message : String(error))
  return error instanceof UsageError
    ? { line: `candlewick: ${sentence} See candlewick --help.`, code: exitCode.badUsage }
    : { line: `candlewick: ${sentence}`, code: exitCode.failure }
}
