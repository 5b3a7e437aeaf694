import { types } from 'node:util'
import { CandlewickError } from '../errors.js'
import { expectIntegers, readOnce, typedArrayLength, unexpected } from '../expect.js'
import { allocate } from '../memory.js'

/** What the outputs of images are to be: numbers of each. */
export interface Targets {
  /** All numbers, image after image. */
  data: Float32Array
  /** (n, outputs) */
  shape: readonly number[]
}

/** Targets whose numbers are as many as their shape says. */
export interface CheckedTargets {
  data: Float32Array<ArrayBuffer>
  shape: [n: number, outputs: number]
}

/**
 * A copy of targets for `count` images.
 * @internal
 */
export function checkTargets(targets: unknown, count: number): CheckedTargets {
  if (typeof targets !== 'object' || targets === null) {
    throw unexpected('targets', 'an object of data and shape', targets)
  }
  const { data, shape: given } = readOnce<Targets>('targets', targets, { data: true, shape: true })
  if (!types.isFloat32Array(data)) throw unexpected('targets.data', 'a Float32Array', data)
  const shape = expectIntegers('targets.shape', '[n, outputs]', given, 2, 0) as CheckedTargets['shape']
  const [n, outputs] = shape
  if (n !== count) throw unexpected('targets.shape[0]', `${count}, as there are as many images,`, n)
  if (outputs === 0) {
    throw new CandlewickError('INVALID_SHAPE', 'Targets of shape [n, 0] hold nothing; outputs must be at least 1.')
  }
  if (typedArrayLength(data) !== n * outputs) {
    throw unexpected('targets.data', `${n * outputs} values, as shape [${shape.join(', ')}] needs,`, data)
  }
  const copy = allocate(`the targets of ${count} images`, Float32Array, n * outputs)
  Float32Array.prototype.set.call(copy, data)
  return { data: copy, shape }
}
