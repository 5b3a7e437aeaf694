#!/usr/bin/env node
/** `candlewick`: the command. Errors leave as one sentence, with their stack only for CANDLEWICK_DEBUG=1. */

import { devicesCommand } from './cli/devices.js'
import { evaluateCommand } from './cli/evaluate.js'
import { summaryCommand } from './cli/summary.js'
import { trainCommand } from './cli/train.js'
import { UsageError, usage } from './cli/usage.js'

const exitCode = { done: 0, failure: 1, badUsage: 2, interrupted: 130 }

const commands = new Map([
  ['train', trainCommand],
  ['evaluate', evaluateCommand],
  ['summary', summaryCommand],
  ['devices', devicesCommand],
])

async function main(args: string[], signal: AbortSignal): Promise<number> {
  const [name, ...rest] = args
  if (name === undefined || name === 'help' || args.includes('--help') || args.includes('-h')) {
    console.log(usage)
    return name === undefined ? exitCode.badUsage : exitCode.done
  }
  const command = commands.get(name)
  if (!command) throw new UsageError(`Unknown command "${name}"; expected one of ${[...commands.keys()].join(', ')}.`)
  await command(rest, signal)
  return exitCode.done
}

/** Once, Ctrl-C stops the work within a batch; twice, the process. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  process.once('SIGINT', () => {
    controller.abort()
    process.once('SIGINT', () => process.exit(exitCode.interrupted))
  })
  return controller.signal
}

function explain(error: unknown): string {
  if (process.env.CANDLEWICK_DEBUG && error instanceof Error) return error.stack ?? error.message
  return error instanceof Error ? error.message : String(error)
}

const args = process.argv.slice(2)

// A reader that has seen enough, such as head, is no error; but what was to be saved still is.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    console.error(`candlewick: cannot print: ${error.message}.`)
    process.exit(exitCode.failure)
  }
  if (!args.some((argument) => argument.startsWith('--save'))) process.exit(exitCode.done)
})

const signal = interruption()
try {
  process.exitCode = await main(args, signal)
} catch (error) {
  if (signal.aborted) {
    console.error('Interrupted.')
    process.exitCode = exitCode.interrupted
  } else {
    const isUsage = error instanceof UsageError
    console.error(`candlewick: ${explain(error)}${isUsage ? ' See candlewick --help.' : ''}`)
    process.exitCode = isUsage ? exitCode.badUsage : exitCode.failure
  }
}
