import { callAddon, checkRoom } from './addon.js'
import { CandlewickError, isOutOfMemory } from './errors.js'

/** JavaScript's arrays of numbers, as they are made. */
type ArrayType<T> = { new (length: number): T; readonly BYTES_PER_ELEMENT: number }

/**
 * Zeros, as many as a caller decides. `what` is what they are for: "the labels of 5 images". The addon is asked first whether there is
 * room: V8 ends the process where an array leaves its heap too little.
 */
export function allocate<T>(what: string, type: ArrayType<T>, length: number): T {
  try {
    callAddon(() => checkRoom(length * type.BYTES_PER_ELEMENT))
    return new type(length)
  } catch (error) {
    throw isOutOfMemory(error) ? outOfMemory(what, error) : error
  }
}

export function outOfMemory(what: string, cause: unknown): CandlewickError {
  const message = `There is not enough memory for ${what}; take fewer at a time, or free some first.`
  return new CandlewickError('OUT_OF_MEMORY', message, { cause })
}
