import type { Callback, Epoch, Run, Sequential } from 'candlewick'
import { attend } from '#dist/training/run.js'
import { epochOf } from '../stripes.js'

/** What became of a training whose epochs had these figures. */
export interface Outcome {
  /** Epochs that there were until somebody stopped it. */
  epochs: number
  /** The learning rate's factor in each. */
  factors: number[]
  state: unknown
}

/** Tells callbacks of epochs with these figures, from what a state says on, as `fit` would. */
export async function told(
  callback: Callback,
  figures: readonly Partial<Epoch>[],
  { net = {} as Sequential, state }: { net?: Sequential; state?: unknown } = {},
): Promise<Outcome> {
  let run: Run | undefined
  const watch: Callback = {
    onBegin(begun) {
      run = begun
    },
  }
  const attended = attend([callback, watch], { net, epochs: 100 })
  const factors: number[] = []
  if (state !== undefined) attended.restore(JSON.parse(JSON.stringify(state)))
  try {
    await attended.begin(1)
    const first = (run?.history.length ?? 0) + 1
    for (const [i, figure] of figures.entries()) {
      factors.push(run?.learningRateFactor ?? Number.NaN)
      await attended.epoch(epochOf(first + i, figure))
      if (attended.isStopped) break
    }
  } catch (error) {
    attended.fail()
    throw error
  } finally {
    await attended.end()
  }
  return { epochs: factors.length, factors, state: attended.state() }
}

/** Epochs with these losses. */
export const losses = (...all: number[]): Partial<Epoch>[] => all.map((loss) => ({ loss }))
