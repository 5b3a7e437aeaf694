import cliProgress from 'cli-progress'

/** A line of a terminal that shows how far something is. */
export interface ProgressBar {
  update(done: number, total: number): void
  /** Clears the line. */
  stop(): void
}

/** A bar on `stream`; one that shows nothing, where that is no terminal. */
export function progressBar(title: string, stream: NodeJS.WriteStream): ProgressBar {
  if (!stream.isTTY) return { update() {}, stop() {} }
  const bar = new cliProgress.SingleBar({
    stream,
    format: `${title} [{bar}] {percentage}%`,
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  })
  return {
    update(done, total) {
      if (!bar.isActive) bar.start(total, done)
      bar.update(done)
    },
    stop() {
      if (bar.isActive) bar.stop()
    },
  }
}
