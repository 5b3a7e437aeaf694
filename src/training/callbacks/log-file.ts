import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { CandlewickError, codeOf, messageOf } from '../../errors.js'
import { expectBoolean, expectSettings } from '../../expect.js'

/** Options of {@link csvLog} and {@link jsonLines}. */
export interface LogOptions {
  /** Whether lines are added to those of a file that is there, instead of replacing it; false by default. */
  append?: boolean
}

export function checkLogOptions(name: string, options: LogOptions): Required<LogOptions> {
  return expectSettings<LogOptions>(name, options, { append: (value = false) => expectBoolean('append', value) })
}

/** What is there of a log, and where more comes to; each line is one write, so that who ends meanwhile leaves whole lines. */
export interface LogFile {
  /** The first line, '' for none. */
  readonly head: string
  add(line: string): Promise<void>
}

/** Opens a log: an empty one, unless lines are to come to those that are there. */
export async function openLog(path: string, append: boolean): Promise<LogFile> {
  const there = append ? await contentOf(path) : ''
  if (!append) await failing(path, () => writeFile(path, ''))
  let cut = there !== '' && !there.endsWith('\n') ? '\n' : '' // of a process that ended within a line
  return {
    head: there.split('\n', 1)[0] as string,
    async add(line) {
      await failing(path, () => appendFile(path, `${cut}${line}\n`))
      cut = ''
    },
  }
}

async function contentOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw cannotWrite(path, error)
  }
}

/** Writes, and says what failed where it does. */
export async function failing(path: string, write: () => Promise<unknown>): Promise<void> {
  try {
    await write()
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

function cannotWrite(path: string, cause: unknown): CandlewickError {
  const message = `Cannot write the log ${path}: ${messageOf(cause)}; name a place that can be written.`
  return new CandlewickError('SAVE_FAILED', message, { cause })
}
