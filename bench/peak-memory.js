/**
 * Imported before a program (`node --import`), prints to standard error how many KiB it took at its peak. Linux says that of
 * the program alone; elsewhere what there is includes the process that started it.
 */

import { readFileSync } from 'node:fs'

process.on('exit', () => console.error(peak()))

function peak() {
  try {
    return /VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  } catch {
    return process.resourceUsage().maxRSS
  }
}
