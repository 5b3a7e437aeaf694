const errorCodes = [
  /** An argument has a value that cannot be used. */
  'INVALID_ARGUMENT',
  /** Layers do not fit each other, images do not fit the network, or images have no pixels. */
  'INVALID_SHAPE',
  /** The network has no parameters yet. */
  'NOT_INITIALIZED',
  /** The network has parameters already, and replacing them was not asked for. */
  'ALREADY_INITIALIZED',
  /** A `fit` or an `initialize` of the network has not ended. */
  'BUSY',
  /** The network or the dataset was disposed of. */
  'DISPOSED',
  /** A label names a class that the network does not have. */
  'LABEL_OUT_OF_RANGE',
  /** Images and labels do not belong together. */
  'DATA_MISMATCH',
  /** A folder or file of data is not there or cannot be read. */
  'DATA_NOT_FOUND',
  /** A file of data is cut short or is not what it should be. */
  'DATA_CORRUPT',
  /** A download failed; nothing was left half-written. */
  'DOWNLOAD_FAILED',
  /** A checkpoint file cannot be opened. */
  'CHECKPOINT_NOT_FOUND',
  /** A checkpoint file does not hold this network's parameters. */
  'CHECKPOINT_INVALID',
  /** A checkpoint could not be written; what stood at its path before is untouched, unless the sentence says that it is lost. */
  'SAVE_FAILED',
  /** Memory does not hold what was asked for: a network, a dataset, an answer. */
  'OUT_OF_MEMORY',
  /** The device asked for is not there. */
  'DEVICE_UNAVAILABLE',
  /** A GPU stopped answering, and what was on it is gone. */
  'DEVICE_LOST',
  /** A defect of candlewick. */
  'INTERNAL',
] as const

/** What went wrong, for a program to branch on. */
export type ErrorCode = (typeof errorCodes)[number]

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

/**
 * The message of whatever was thrown. Errors of Node and of the addon are of the main realm, and where candlewick runs in
 * another (as in jest), they are no `instanceof Error`.
 */
export function messageOf(thrown: unknown): string {
  try {
    const { message } = Object(thrown) as { message?: unknown }
    return typeof message === 'string' ? message : String(thrown)
  } catch {
    return 'the reason cannot be shown' // it has a getter that throws, or no toString
  }
}

/** The code that Node gives its errors, such as ENOENT; '' for none. */
export function codeOf(error: unknown): string {
  const { code } = Object(error) as { code?: unknown }
  return typeof code === 'string' ? code : ''
}

const outOfMemoryCodes = ['ERR_MEMORY_ALLOCATION_FAILED', 'ERR_BUFFER_TOO_LARGE', 'Z_MEM_ERROR', 'ENOMEM']

/** Whether something failed for want of memory: V8 says RangeError, of whatever realm; Node, zlib and the system have codes. */
export function isOutOfMemory(error: unknown): boolean {
  if (outOfMemoryCodes.includes(codeOf(error))) return true
  const { name } = Object(error) as { name?: unknown }
  return name === 'RangeError' && /alloc|length/i.test(messageOf(error))
}

/** The addon's errors read `CODE: sentence`; any other is a defect, unless it is for want of memory. */
function fromNative(error: unknown): CandlewickError {
  if (error instanceof CandlewickError) return error
  const whole = withoutBacktrace(messageOf(error))
  const [, name, message] = /^([A-Z_]+): (.+)$/s.exec(whole) ?? []
  const code = errorCodes.find((known) => known === name)
  if (code && message) return new CandlewickError(code, sentence(message))
  if (isOutOfMemory(error)) {
    const lack = `There is not enough memory (${whole}); free some first.`
    return new CandlewickError('OUT_OF_MEMORY', lack, { cause: error })
  }
  const defect = `candlewick failed in a way it should not (${whole}); please report it.`
  return new CandlewickError('INTERNAL', defect, { cause: error })
}

/** With RUST_BACKTRACE=1, some errors of Rust's carry the frames that led to them, a line or two for each. */
function withoutBacktrace(message: string): string {
  return message.replace(/\s*\n\s*(?:stack backtrace:|\d+: |at )[^\n]*?(?=\n|$|\)[;,.])/gi, '')
}

/** Rust's errors begin small and end without a full stop; a leading name such as `conv0` stays as it is. */
function sentence(message: string): string {
  return `${message.replace(/^[a-z]+(?= )/, (word) => word.charAt(0).toUpperCase() + word.slice(1)).replace(/\.$/, '')}.`
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
