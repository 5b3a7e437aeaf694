import { Buffer } from 'node:buffer'
import { crc32c } from './crc32c.js'

/** TFRecord: the length in 8 bytes, its checksum, the data, its checksum; least byte first. */
export function record(data: Uint8Array): Buffer {
  const framed = Buffer.alloc(8 + 4 + data.length + 4)
  framed.writeBigUInt64LE(BigInt(data.length))
  framed.writeUInt32LE(masked(crc32c(framed.subarray(0, 8))), 8)
  framed.set(data, 12)
  framed.writeUInt32LE(masked(crc32c(data)), 12 + data.length)
  return framed
}

/** Turned and moved, as a checksum of what holds checksums is of little use. */
function masked(checksum: number): number {
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0
}
