#!/usr/bin/env node
/** `candlewick`: the command's process, with its signals, its streams and its exit code. */

import { messageOf } from './errors.js'

// Where the addon cannot be loaded, nothing of the command can; what is to be done about it needs no stack.
const { exitCode, explain, finishesUnread, main } = await import('./cli/main.js').catch((error) => {
  console.error(`candlewick: ${messageOf(error)}`)
  process.exit(1)
})

/** Why the work ends early. */
class Ending extends Error {
  constructor(readonly signal: NodeJS.Signals) {
    super(signal)
  }
}

/**
 * The first of these signals stops the work within a batch, so that it clears away what it began; the next ends the process.
 * Of SIGTERM and SIGHUP it dies then, as who sent them expects.
 */
function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (!controller.signal.aborted) return controller.abort(new Ending(name))
      if (name === 'SIGINT') process.exit(exitCode.interrupted)
      die(name)
    })
  }
  return controller.signal
}

function die(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal)
  process.kill(process.pid, signal)
}

const args = process.argv.slice(2)
const signal = interruption()

// A reader that has seen enough, such as head, is no error; but what was to be saved still is.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EIO' && process.stdout.isTTY) {
    process.emit('SIGHUP') // its terminal hung up: it may have been the shell alone that was told
    return
  }
  if (error.code !== 'EPIPE') {
    console.error(`candlewick: cannot print: ${error.message}.`)
    process.exit(exitCode.failure)
  }
  if (!finishesUnread(args)) process.exit(exitCode.done)
})

try {
  process.exitCode = await main(args, signal)
} catch (error) {
  const ending: unknown = signal.reason
  if (!(ending instanceof Ending)) {
    const { line, code } = explain(error)
    console.error(line)
    process.exitCode = code
  } else if (ending.signal === 'SIGINT') {
    console.error('Interrupted.')
    process.exitCode = exitCode.interrupted
  } else {
    die(ending.signal)
  }
}
