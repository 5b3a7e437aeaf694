import { CandlewickError, isOutOfMemory } from './errors.js'

/** Makes something whose size a caller decides, such as a typed array. `what` is what it is for: "the labels of 5 images". */
export function allocate<T>(what: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw isOutOfMemory(error) ? outOfMemory(what, error) : error
  }
}

export function outOfMemory(what: string, cause: unknown): CandlewickError {
  const message = `There is not enough memory for ${what}; take fewer at a time, or free some first.`
  return new CandlewickError('OUT_OF_MEMORY', message, { cause })
}
