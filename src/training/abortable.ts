import { clearInterval, setInterval } from 'node:timers'
import { Progress, type Sums } from '../addon.js'
import { CandlewickError, messageOf } from '../errors.js'

export const progressInterval = 100 // ms

export interface AbortableOptions {
  /** Whether the work pauses where others wait for the network; who asked for it asks for the rest. Nobody may change parameters. */
  readonly givesWay: boolean
  /** Called about ten times a second. */
  readonly report?: (progress: Progress) => unknown
  /** What the signal does; cancels the work by default. */
  readonly stop?: (progress: Progress) => void
}

/** Runs native work that an AbortSignal can stop, and says about ten times a second how far it is. */
export async function abortable(
  signal: AbortSignal | undefined,
  work: (progress: Progress) => Promise<Sums>,
  options: AbortableOptions,
): Promise<Sums> {
  const { report, stop = (progress) => progress.cancel() } = options
  signal?.throwIfAborted()
  const progress = new Progress(options.givesWay)
  let timer: NodeJS.Timeout | undefined
  const end = () => {
    stop(progress)
    clearInterval(timer) // who has ended it is told no more
  }
  signal?.addEventListener('abort', end, { once: true })
  let failure: { error: unknown } | undefined
  const tell = async () => {
    try {
      await report?.(progress)
    } catch (error) {
      failure ??= { error }
      clearInterval(timer)
      progress.cancel()
    }
  }
  if (report) timer = setInterval(tell, progressInterval)
  try {
    const done = await work(progress)
    if (!failure) return done
  } catch (error) {
    if (isCancellation(error)) signal?.throwIfAborted()
    failure ??= { error }
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', end)
  }
  throw failure.error // even if the work was done before it could be cancelled
}

/** Whether an error says no more than that the work was asked to end. */
function isCancellation(error: unknown): boolean {
  return error instanceof CandlewickError && messageOf(error.cause).startsWith('CANCELLED')
}
