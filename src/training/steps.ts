/** How many steps an optimiser has made on a network, which is where its schedule is. */

import type { Engine } from '../addon.js'

/** The engine keeps the state of the optimiser that made the last step, and so its steps alone count. */
interface Made {
  readonly id: number
  steps: number
}

const made = new WeakMap<Engine, Made>()

/** Those whose parameters are no longer the ones that were drawn. */
const learned = new WeakSet<Engine>()

/** Whether a network was trained, or was given parameters. */
export function hasLearned(engine: Engine): boolean {
  return learned.has(engine)
}

/** A network has the parameters that it began with, after all. */
export function forgetLearned(engine: Engine): void {
  learned.delete(engine)
}

/** The steps of the optimiser of this number: 0 if another has made the last, or the parameters were replaced since. */
export function stepsOf(engine: Engine, id: number): number {
  const last = made.get(engine)
  return last?.id === id ? last.steps : 0
}

/** Counts steps as made. What is returned takes them back, for those that were not made after all. */
export function countSteps(engine: Engine, id: number, steps: number): () => void {
  const before = made.get(engine)
  if (steps === 0) return () => {}
  learned.add(engine)
  const now = before?.id === id ? before : { id, steps: 0 }
  now.steps += steps
  made.set(engine, now)
  return () => {
    now.steps -= steps
    if (now.steps === 0 && before && made.get(engine) === now) made.set(engine, before)
  }
}

/** An optimiser goes on from a checkpoint, in which it has made these steps. */
export function setSteps(engine: Engine, id: number, steps: number): void {
  learned.add(engine)
  made.set(engine, { id, steps })
}

/** An optimiser starts afresh on other parameters. What is returned takes that back, where they could not be had after all. */
export function forgetSteps(engine: Engine): () => void {
  const [before, hadLearned] = [made.get(engine), learned.has(engine)]
  made.delete(engine)
  learned.add(engine)
  return () => {
    if (!hadLearned) learned.delete(engine)
    if (before && !made.has(engine)) made.set(engine, before)
  }
}
