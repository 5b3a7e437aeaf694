/**
 * Warnings of what is allowed and as good as always a mistake: each once in a process, through `process.emitWarning` with its code,
 * so that `node --disable-warning=CODE` turns it off and `process.on('warning')` sees it.
 */

import process from 'node:process'

export type WarningCode =
  | 'CANDLEWICK_IMAGE_RANGE'
  | 'CANDLEWICK_LOSS_STAYS'
  | 'CANDLEWICK_NORMALIZATION'
  | 'CANDLEWICK_RELU_AT_END'

const given = new Set<WarningCode>()

export function warnOnce(code: WarningCode, message: string): void {
  if (given.has(code)) return
  given.add(code)
  process.emitWarning(message, { type: 'CandlewickWarning', code })
}
