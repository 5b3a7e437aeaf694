import { Buffer } from 'node:buffer'
import { crc32, deflateSync } from 'node:zlib'

/** Bytes of red, green and blue, row by row from the top. */
export interface Picture {
  width: number
  height: number
  data: Uint8Array
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

export function png({ width, height, data }: Picture): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  const [bits, rgb] = [8, 2]
  header.set([bits, rgb], 8)
  const unfiltered = Buffer.alloc(height * (1 + 3 * width)) // each row begins with the number of its filter, 0 for none
  for (let row = 0; row < height; row++) {
    unfiltered.set(data.subarray(row * 3 * width, (row + 1) * 3 * width), row * (1 + 3 * width) + 1)
  }
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(unfiltered)), chunk('IEND', Buffer.alloc(0))]
  return Buffer.concat([signature, ...parts])
}

/** The length of the data, its kind, itself, and a checksum of both. */
function chunk(kind: string, data: Buffer): Buffer {
  const checked = Buffer.concat([Buffer.from(kind, 'latin1'), data])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  checksum.writeUInt32BE(crc32(checked))
  return Buffer.concat([length, checked, checksum])
}
