import { CandlewickError } from '../../errors.js'
import { expectPath } from '../../expect.js'
import type { Callback } from '../callbacks.js'
import { figuresOf } from './figures.js'
import { checkLogOptions, type LogFile, type LogOptions, openLog } from './log-file.js'
import { readState } from './state.js'

/**
 * Writes a line of comma-separated figures after each epoch, below one of their names. A training that is resumed adds to the file
 * that is there: epochs after its checkpoint, which it trains again, are in it twice.
 */
export function csvLog(path: string, options: LogOptions = {}): Callback {
  const file = expectPath('path', path)
  const { append } = checkLogOptions('csvLog', options)
  let log: LogFile
  let columns: readonly string[] | undefined
  let isFirst = true
  return {
    async onBegin({ isResumed }) {
      log = await openLog(file, append || isResumed)
      columns = log.head === '' ? undefined : log.head.split(',')
      isFirst = true
    },
    async onEpoch(epoch) {
      const figures = new Map(figuresOf(epoch))
      const names = [...figures.keys()]
      const head = columns ? '' : `${names.join(',')}\n`
      columns ??= names
      const known = new Set(columns)
      // Later epochs may lack a figure, as one that is not taken each time.
      const fits = isFirst ? names.join() === columns.join() : names.every((name) => known.has(name))
      if (!fits) throw unlike(file, columns, names)
      isFirst = false
      await log.add(head + columns.map((name) => figures.get(name)).join(','))
    },
    state: () => ({}),
    restore(state) {
      readState('csvLog', state, {})
    },
  }
}

function unlike(path: string, columns: readonly string[], names: readonly string[]): CandlewickError {
  const message = `The log ${path} has the columns ${columns.join(',')}, but the epoch has ${names.join(',')}; write to another file.`
  return new CandlewickError('INVALID_ARGUMENT', message)
}
