import { augmentCommand } from './augment.js'
import type { Command } from './command.js'
import { devicesCommand } from './devices.js'
import { evaluateCommand } from './evaluate.js'
import { predictCommand } from './predict.js'
import { summaryCommand } from './summary.js'
import { dataCommand } from './survey.js'
import { trainCommand } from './train.js'

/** What `candlewick` can do, in the help's order. */
export const commands: ReadonlyMap<string, Command> = new Map([
  ['train', trainCommand],
  ['predict', predictCommand],
  ['evaluate', evaluateCommand],
  ['data', dataCommand],
  ['augment', augmentCommand],
  ['summary', summaryCommand],
  ['devices', devicesCommand],
])
