/** How things are printed: as in d2l's text. */

import type { Epoch } from './training/fit.js'

/**
 * `epoch 1, loss 2.3082, train acc 0.113, val acc 0.287, test acc 0.293, time 0.6 sec`, of what there is; the time is training and
 * evaluation together. A loss without right and wrong answers has `val loss 2.2950` and `test loss 2.2941` instead.
 */
export function formatEpoch(epoch: Epoch): string {
  const { trainAcc, valLoss, valAcc, testLoss, testAcc } = epoch
  const parts = [`epoch ${epoch.epoch}`, `loss ${epoch.loss.toFixed(4)}`]
  if (trainAcc !== undefined) parts.push(`train acc ${trainAcc.toFixed(3)}`)
  if (valAcc !== undefined) parts.push(`val acc ${valAcc.toFixed(3)}`)
  else if (valLoss !== undefined) parts.push(`val loss ${valLoss.toFixed(4)}`)
  if (testAcc !== undefined) parts.push(`test acc ${testAcc.toFixed(3)}`)
  else if (testLoss !== undefined) parts.push(`test loss ${testLoss.toFixed(4)}`)
  const seconds = epoch.trainSeconds + (epoch.evalSeconds ?? 0)
  parts.push(`time ${seconds.toFixed(1)} sec`)
  return parts.join(', ')
}

/** A shape as d2l prints it: `(1, 6, 24, 24)`. */
export function formatShape(shape: readonly number[]): string {
  return `(${shape.join(', ')})`
}

/** A device as d2l prints it: `cpu(0)`, `gpu(0)`. */
export function formatDevice(device: string): string {
  return device === 'cpu' ? 'cpu(0)' : device.replace(/^cuda:(\d+)$/, 'gpu($1)')
}
