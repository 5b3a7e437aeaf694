/** As much of protobuf's encoding as events need: fields one after the other, each its number and its value. */

import { Buffer } from 'node:buffer'

const wireTypes = { varint: 0, double: 1, bytes: 2, float: 5 }

/** An integer of at least 0. */
export function varint(field: number, value: number): Buffer {
  return Buffer.concat([key(field, wireTypes.varint), bare(value)])
}

export function double(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return Buffer.concat([key(field, wireTypes.double), bytes])
}

export function float(field: number, value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatLE(value)
  return Buffer.concat([key(field, wireTypes.float), bytes])
}

export function bytes(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([key(field, wireTypes.bytes), bare(value.length), value])
}

export function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value))
}

export function message(field: number, ...fields: readonly Uint8Array[]): Buffer {
  return bytes(field, Buffer.concat(fields))
}

function key(field: number, wireType: number): Buffer {
  return bare(field * 8 + wireType)
}

/** Seven bits a byte, the lowest first; all but the last byte say that more come. */
function bare(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}
