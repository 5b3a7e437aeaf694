import type { Command } from './command.js'
import { commands } from './commands.js'
import type { Option } from './options.js'
import { runOptions } from './shared-options.js'

const column = 27 // where what is said of a command or an option begins

/** The help. */
export const usage = `candlewick: train LeNet on Fashion-MNIST, or another network on your own pictures

${[...commands].flatMap(commandLines).join('\n')}

${Object.entries(runOptions).map(sharedLine).join('\n')}

CANDLEWICK_ISA=avx512|avx2|neon|portable uses this instruction set instead of the best; the result is the same.
CANDLEWICK_DEBUG=1 prints the stack of an error. Exit codes: 0 done, 1 failure or numbers that are not finite, 2 bad usage,
130 after Ctrl-C; of SIGTERM and SIGHUP it dies, which shells call 143 and 129.`

/** A command and the options that are its alone. */
function commandLines([name, { argument, help, options }]: [string, Command]): string[] {
  const own = Object.entries(options).filter(([, option]) => !isShared(option))
  return [
    line('  ', ['candlewick', name, argument], help),
    ...own.map(([option, { shown, help }]) => line('    ', [`--${option}`, shown], help)),
  ]
}

function isShared(option: Option<unknown>): boolean {
  return Object.values<unknown>(runOptions).includes(option)
}

/** An option of several commands, with their names unless all have it. */
function sharedLine([name, option]: [string, Option<unknown>]): string {
  const takers = [...commands].filter(([, { options }]) => options[name] === option).map(([taker]) => taker)
  const named = takers.length === commands.size ? '' : `(${takers.join(', ')}) `
  return line('  ', [`--${name}`, option.shown], named + option.help)
}

function line(indent: string, words: (string | undefined)[], help: string): string {
  return `${(indent + words.filter(Boolean).join(' ')).padEnd(column)}  ${help}`.trimEnd()
}
