/** Everything that {@link ErrorCode} stands for. */
export const errorCodes = [
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
  /** Images do not belong together with labels or targets, or those are not what the loss takes. */
  'DATA_MISMATCH',
  /** A folder or file of data is not there or cannot be read. */
  'DATA_NOT_FOUND',
  /** A file of data is cut short or is not what it should be. */
  'DATA_CORRUPT',
  /** A download failed; nothing was left half-written. */
  'DOWNLOAD_FAILED',
  /** A checkpoint file cannot be opened. */
  'CHECKPOINT_NOT_FOUND',
  /** A checkpoint file does not hold this network's parameters, is damaged, or is of another training. */
  'CHECKPOINT_INVALID',
  /** A checkpoint could not be written; what stood at its path before is untouched, unless the sentence says that it is lost. */
  'SAVE_FAILED',
  /** Memory does not hold what was asked for: a network, a dataset, an answer. */
  'OUT_OF_MEMORY',
  /** The device asked for is not there. */
  'DEVICE_UNAVAILABLE',
  /** A GPU stopped answering, and what was on it is gone. */
  'DEVICE_LOST',
  /** A training came to a loss that is not finite. */
  'DIVERGED',
  /** The addon is not installed, or not of this system; the message lists what was tried. `import` itself is rejected with it. */
  'ADDON_UNAVAILABLE',
  /** A defect of candlewick. */
  'INTERNAL',
] as const

/** What went wrong, for a program to branch on. */
export type ErrorCode = (typeof errorCodes)[number]

/** Every error of candlewick's own: a code for programs, a sentence for people. */
export class CandlewickError extends Error {
  /** By which it is known where its class is another realm's. */
  override readonly name = 'CandlewickError'

  /** With a code, and a sentence for people. */
  constructor(
    /** What went wrong, for a program to branch on. */
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

const outOfMemoryCodes = [
  'OUT_OF_MEMORY',
  'ERR_MEMORY_ALLOCATION_FAILED',
  'ERR_BUFFER_TOO_LARGE',
  'Z_MEM_ERROR',
  'ENOMEM',
]

/** Whether something failed for want of memory: V8 says RangeError, of whatever realm; candlewick, Node, zlib and the system have codes. */
export function isOutOfMemory(error: unknown): boolean {
  if (outOfMemoryCodes.includes(codeOf(error))) return true
  const { name } = Object(error) as { name?: unknown }
  return name === 'RangeError' && /alloc|length/i.test(messageOf(error))
}
