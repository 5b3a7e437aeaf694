/** Bytes as a picture that every viewer shows: PNG (ISO/IEC 15948), by zlib and without filters. */

import { Buffer } from 'node:buffer'
import { crc32, deflateSync } from 'node:zlib'

/** A picture. */
export interface Picture {
  width: number
  height: number
  /** Bytes of a pixel: 1 for a grey, 3 for red, green and blue. */
  channels: 1 | 3
  /** Row after row, pixel after pixel. */
  pixels: Uint8Array
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const colourTypes = { 1: 0, 3: 2 } as const

/** The file of a picture. */
export function png({ width, height, channels, pixels }: Picture): Buffer {
  const header = Buffer.alloc(13) // compression, filtering and interlacing have one way each, 0
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 8 // bits
  header[9] = colourTypes[channels]
  const rowLength = width * channels
  const rows = Buffer.alloc(height * (1 + rowLength)) // each begins with the number of its filter, 0 for none
  for (let row = 0; row < height; row++) {
    rows.set(pixels.subarray(row * rowLength, (row + 1) * rowLength), row * (1 + rowLength) + 1)
  }
  const chunks = [chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))]
  return Buffer.concat([signature, ...chunks])
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  sum.writeUInt32BE(crc32(named))
  return Buffer.concat([length, named, sum])
}
