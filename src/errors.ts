/** What went wrong, for a program to branch on. */
export type ErrorCode =
  /** An argument has a value that cannot be used. */
  | 'INVALID_ARGUMENT'
  /** Layers do not fit each other, or images do not fit the network. */
  | 'INVALID_SHAPE'
  /** The network has no parameters yet. */
  | 'NOT_INITIALIZED'
  /** The network has parameters already, and replacing them was not asked for. */
  | 'ALREADY_INITIALIZED'
  /** A `fit` or an `initialize` of the network has not ended. */
  | 'BUSY'
  /** A label names a class that the network does not have. */
  | 'LABEL_OUT_OF_RANGE'
  /** Images and labels do not belong together. */
  | 'DATA_MISMATCH'
  /** A folder or file of data is not there or cannot be read. */
  | 'DATA_NOT_FOUND'
  /** A file of data is cut short or is not what it should be. */
  | 'DATA_CORRUPT'
  /** A download failed; nothing was left half-written. */
  | 'DOWNLOAD_FAILED'
  /** A checkpoint file cannot be opened. */
  | 'CHECKPOINT_NOT_FOUND'
  /** A checkpoint file does not hold this network's parameters. */
  | 'CHECKPOINT_INVALID'
  /** A checkpoint could not be written; what stood at its path before is untouched, unless the sentence says that it is lost. */
  | 'SAVE_FAILED'
  /** A network is larger than memory. */
  | 'OUT_OF_MEMORY'
  /** The device asked for is not there. */
  | 'DEVICE_UNAVAILABLE'
  | 'DEVICE_LOST'
  /** A defect of candlewick. */
  | 'INTERNAL'

/** Every error of candlewick's own: a code for programs, a sentence for people. */
export class CandlewickError extends Error {
  override readonly name = 'CandlewickError'

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** The addon's errors read `CODE: sentence`; anything else passes through as it is. */
function fromNative(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const [, code, message] = /^([A-Z_]+): (.*)$/s.exec(error.message) ?? []
  return code && message ? new CandlewickError(code as ErrorCode, sentence(message)) : error
}

/** Rust's errors begin small and end without a full stop; a leading name such as `conv0` stays as it is. */
function sentence(message: string): string {
  return `${message.replace(/^[a-z]+(?= )/, (word) => word.charAt(0).toUpperCase() + word.slice(1))}.`
}

/** Calls the addon. */
export function native<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw fromNative(error)
  }
}

/** Calls the addon and waits for it. The stack of an error is the caller's, not the addon's thread's. */
export async function nativeAsync<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw fromNative(error)
  }
}
