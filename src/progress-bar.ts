import process from 'node:process'
/** A line of a terminal that shows how far something is. */
export interface ProgressBar {
  /** `note` is what else there is to say, behind the bar. */
  update(done: number, total: number, note?: string): void
  /** Clears the line. */
  stop(): void
}

const [barLength, besideNote] = [40, 12]

/**
 * A bar on `stream`; one that shows nothing, where that is no terminal. It neither hides the cursor nor changes the wrapping,
 * so that however the process ends, the terminal is as it was.
 */
export function progressBar(title: string, stream: NodeJS.WriteStream): ProgressBar {
  if (!stream.isTTY) return { update() {}, stop() {} }
  let shown = ''
  const stop = () => {
    if (shown !== '') stream.write(`\r${' '.repeat(shown.length)}\r`)
    shown = ''
    process.off('exit', stop)
  }
  return {
    update(done, total, note = '') {
      const share = Math.min(1, done / total)
      const length = note === '' ? barLength : besideNote
      const bar = '='.repeat(Math.floor(length * share)).padEnd(length)
      // A line that reaches the edge would wrap, and \r would no longer find its beginning.
      const line = `${title} [${bar}] ${Math.floor(100 * share)}%${note && ` ${note}`}`.slice(
        0,
        (stream.columns || 80) - 1,
      )
      if (line === shown) return
      if (shown === '') process.on('exit', stop)
      stream.write(`\r${line.padEnd(shown.length)}`)
      shown = line
    },
    stop,
  }
}
