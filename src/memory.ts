import { CandlewickError, codeOf, messageOf } from './errors.js'

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

/** Whether something failed for want of memory: V8 says RangeError (of whatever realm), Node, zlib and the system have codes. */
export function isOutOfMemory(error: unknown): boolean {
  if (['ERR_MEMORY_ALLOCATION_FAILED', 'ERR_BUFFER_TOO_LARGE', 'Z_MEM_ERROR', 'ENOMEM'].includes(codeOf(error)))
    return true
  const { name } = Object(error) as { name?: unknown }
  return name === 'RangeError' && /alloc|length/i.test(messageOf(error))
}
