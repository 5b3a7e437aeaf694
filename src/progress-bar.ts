import process from 'node:process'
/** A line of a terminal that shows how far something is. */
export interface ProgressBar {
  update(done: number, total: number): void
  /** Clears the line. */
  stop(): void
}

const barLength = 40

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
    update(done, total) {
      const share = Math.min(1, done / total)
      const bar = '='.repeat(Math.floor(barLength * share)).padEnd(barLength)
      // A line that reaches the edge would wrap, and \r would no longer find its beginning.
      const line = `${title} [${bar}] ${Math.floor(100 * share)}%`.slice(0, (stream.columns || 80) - 1)
      if (line === shown) return
      if (shown === '') process.on('exit', stop)
      stream.write(`\r${line}`)
      shown = line
    },
    stop,
  }
}
