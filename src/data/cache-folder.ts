import { homedir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** The folder of what can be had again, as the system has it for each user. */
export function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  const base =
    XDG_CACHE_HOME ||
    (process.platform === 'win32' && LOCALAPPDATA) ||
    join(homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache')
  return join(base, 'candlewick')
}
