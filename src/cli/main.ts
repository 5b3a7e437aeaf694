/** What `candlewick` does with its arguments, apart from the process that it does it in. */

import { commands } from './commands.js'
import { UsageError } from './options.js'
import { usage } from './usage.js'

export const exitCode = { done: 0, failure: 1, badUsage: 2, interrupted: 130 }

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
  await command.run(rest, signal)
  return exitCode.done
}

/** Whether a command line is to be carried out to its end even where nobody reads on what it prints. */
export function finishesUnread([name = '', ...rest]: readonly string[]): boolean {
  return commands.get(name)?.finishesUnread(rest) ?? false
}

/** The line for standard error and the exit code of what {@link main} threw: one sentence, and a stack for who asks. */
export function explain(error: unknown): { line: string; code: number } {
  const isError = error instanceof Error
  const sentence = (process.env.CANDLEWICK_DEBUG && isError && error.stack) || (isError ? error.message : String(error))
  return error instanceof UsageError
    ? { line: `candlewick: ${sentence} See candlewick --help.`, code: exitCode.badUsage }
    : { line: `candlewick: ${sentence}`, code: exitCode.failure }
}
