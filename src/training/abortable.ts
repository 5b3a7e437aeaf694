import { clearInterval, setInterval } from 'node:timers'
import { callAddonAsync, type MetricsReport, Progress } from '../addon.js'

export const progressInterval = 100 // ms

/** Runs native work that an AbortSignal can stop, and says about ten times a second how far it is. */
export async function abortable(
  signal: AbortSignal | undefined,
  report: ((images: number) => unknown) | undefined,
  work: (progress: Progress) => Promise<MetricsReport>,
): Promise<MetricsReport> {
  signal?.throwIfAborted()
  const progress = new Progress()
  let timer: NodeJS.Timeout | undefined
  const cancel = () => {
    progress.cancel()
    clearInterval(timer) // who has ended it is told no more
  }
  signal?.addEventListener('abort', cancel, { once: true })
  let failure: { error: unknown } | undefined
  const tell = async () => {
    try {
      await report?.(progress.images)
    } catch (error) {
      failure ??= { error }
      cancel()
    }
  }
  if (report) timer = setInterval(tell, progressInterval)
  try {
    const done = await callAddonAsync(() => work(progress))
    if (!failure) return done
  } catch (error) {
    signal?.throwIfAborted()
    failure ??= { error }
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', cancel)
  }
  throw failure.error // even if the work was done before it could be cancelled
}
