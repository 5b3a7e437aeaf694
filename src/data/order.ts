import { allocate } from '../memory.js'

/** `start ... start + length - 1`: the numbers of images in native memory, in their order there. */
export function inOrder(length: number, start: number): Uint32Array {
  const order = allocate(`the order of ${length} images`, Uint32Array, length)
  for (let i = 0; i < length; i++) order[i] = start + i
  return order
}
