import { augmentCommand } from './augment.js'
import type { Command } from './command.js'
import { devicesCommand } from './devices.js'
import { evaluateCommand } from './evaluate.js'
import { summaryCommand } from './summary.js'
import { trainCommand } from './train.js'

/** What `candlewick` can do, in the help's order. */
export const commands: ReadonlyMap<string, Command> = new Map([
  ['train', trainCommand],
  ['evaluate', evaluateCommand],
  ['augment', augmentCommand],
  ['summary', summaryCommand],
  ['devices', devicesCommand],
])
