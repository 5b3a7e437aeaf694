import { withConfig } from './config.js'
import { type Options, parse, type Values } from './options.js'

/** A command of candlewick's: `candlewick NAME ARGUMENT --options`. */
export interface Command {
  help: string
  /** What stands for its argument in the help; none for a command that takes none. */
  argument?: string
  options: Options
  /** Whether what these arguments ask for is to be done even where nobody reads on what it prints. */
  finishesUnread(args: string[]): boolean
  run(args: string[], signal: AbortSignal): Promise<void>
}

/** What makes a command, whose `run` is given values of its options' types. */
export interface CommandOf<O extends Options> {
  help: string
  argument?: string
  /** How many arguments it takes; one, where it has a word for it. */
  most?: number
  options: O
  /** The option that asks for work which is to be done even where nobody reads on. */
  finishedUnread?: keyof O & string
  run(values: Values<O>, args: readonly string[], signal: AbortSignal): Promise<void>
}

export function command<O extends Options>({ finishedUnread, most, run, ...rest }: CommandOf<O>): Command {
  return {
    ...rest,
    // A file of options may ask for it as well.
    finishesUnread: (args) => {
      const asks = (arg: string) => [finishedUnread, 'config'].some((name) => arg.startsWith(`--${name}`))
      return finishedUnread !== undefined && args.some(asks)
    },
    async run(given, signal) {
      const args = Object.hasOwn(rest.options, 'config') ? await withConfig(given, rest.options) : given
      const { values, positionals } = parse(args, rest.options, most ?? (rest.argument === undefined ? 0 : 1))
      await run(values, positionals, signal)
    },
  }
}
