/** Long work on pictures that a signal can end, and that says how far it is. */

import { clearInterval, setInterval } from 'node:timers'
import { callAddonAsync, PictureProgress } from '../addon.js'

/** How far a load of pictures is. */
export interface PicturesDone {
  /** Pictures that are done. */
  pictures: number
  /** Pictures in all. */
  total: number
  /** Those of them that cannot be read. */
  broken: number
}

const interval = 100 // ms

/** Waits for work of the addon on so many pictures; where the signal ends it, throws the signal's reason. */
export async function picturesWork<T>(
  work: (progress: PictureProgress) => Promise<T>,
  options: {
    signal?: AbortSignal | undefined
    total?: number
    onProgress?: ((done: PicturesDone) => void) | undefined
  } = {},
): Promise<T> {
  const { signal, total = 0, onProgress } = options
  signal?.throwIfAborted()
  const progress = new PictureProgress()
  const cancel = () => progress.cancel()
  let failure: { error: unknown } | undefined
  const tell = () => {
    try {
      onProgress?.({ pictures: progress.done, total, broken: progress.broken })
    } catch (error) {
      failure ??= { error }
      cancel()
    }
  }
  signal?.addEventListener('abort', cancel, { once: true })
  const timer = onProgress && setInterval(tell, interval)
  try {
    const done = await callAddonAsync(() => work(progress))
    if (!failure) tell()
    if (failure) throw failure.error
    return done
  } catch (error) {
    if (failure) throw failure.error
    signal?.throwIfAborted()
    throw error
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', cancel)
  }
}
