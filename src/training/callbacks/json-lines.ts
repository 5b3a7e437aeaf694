import { expectPath } from '../../expect.js'
import { jsonLine } from '../../json.js'
import type { Callback } from '../callbacks.js'
import { checkLogOptions, type LogFile, type LogOptions, openLog } from './log-file.js'
import { readState } from './state.js'

/**
 * Writes an object of JSON after each epoch, a line each; numbers that are not finite are strings, as "NaN". A training that is
 * resumed adds to the file that is there: epochs after its checkpoint, which it trains again, are in it twice.
 */
export function jsonLines(path: string, options: LogOptions = {}): Callback {
  const file = expectPath('path', path)
  const { append } = checkLogOptions('jsonLines', options)
  let log: LogFile
  return {
    async onBegin({ isResumed }) {
      log = await openLog(file, append || isResumed)
    },
    onEpoch: (epoch) => log.add(jsonLine(epoch)),
    state: () => ({}),
    restore(state) {
      readState('jsonLines', state, {})
    },
  }
}
