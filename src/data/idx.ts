/**
 * Reads IDX files, the format of MNIST and its relatives: two zero bytes, a type (8 for bytes), the number of dimensions,
 * each size as a big-endian 32-bit integer, then the values. Plain or in gzip, whatever the name says.
 */

import { Buffer } from 'node:buffer'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { corrupt, explained, openFile, pieceLength, readAtLeast } from './files.js'

const typeBytes = 0x08
const mostExpansion = 1032 // bytes that deflate can make of one: 258 of two bits

/** Sizes of an IDX file's dimensions, and its values piece by piece. Close it, whether they were read or not. */
export interface IdxFile {
  dimensions: number[]
  pieces: AsyncIterable<Buffer>
  close(): void
}

/**
 * Opens an IDX file of bytes with one of these numbers of dimensions. Nothing is read beyond its header; a promise that the
 * file is too small to keep is refused. Its `pieces` throw if the file is not as promised.
 */
export async function openIdx(path: string, allowedDimensions: readonly number[]): Promise<IdxFile> {
  const { handle, size, start: mark } = await openFile(path)
  const isCompressed = mark.length >= 2 && mark[0] === 0x1f && mark[1] === 0x8b
  const file = handle.createReadStream({ start: 0, highWaterMark: pieceLength })
  // The pipeline passes the file's errors on to its end, where they are seen.
  const stream = isCompressed ? pipeline(file, createGunzip({ chunkSize: pieceLength }), () => {}) : file
  const chunks = explained(path, stream, 'gzip')
  try {
    const start = await readAtLeast(path, chunks, Buffer.alloc(0), 4)
    const count = checkMagic(path, start, allowedDimensions)
    const headerLength = 4 + 4 * count
    const header = await readAtLeast(path, chunks, start, headerLength)
    const dimensions = Array.from({ length: count }, (_, i) => header.readUInt32BE(4 + 4 * i))
    if (isCompressed) checkExpansion(path, dimensions, size)
    else checkCount(path, dimensions, size - headerLength)
    const values = pieces(path, header.subarray(headerLength), chunks, dimensions)
    return { dimensions, pieces: values, close: () => file.destroy() }
  } catch (error) {
    file.destroy()
    throw error
  }
}

function checkMagic(path: string, start: Buffer, allowedDimensions: readonly number[]): number {
  const magic = start.readUInt32BE(0)
  const count = allowedDimensions.find((dimensions) => magic === (typeBytes << 8) + dimensions)
  if (count !== undefined) return count
  const hex = (n: number) => `0x${n.toString(16).padStart(8, '0')}`
  const expected = allowedDimensions.map((dimensions) => hex((typeBytes << 8) + dimensions)).join(' or ')
  throw corrupt(path, `starts with magic number ${hex(magic)}, but ${expected} was expected; is it the right file?`)
}

async function* pieces(path: string, first: Buffer, rest: AsyncIterable<Buffer>, dimensions: number[]) {
  const promised = product(dimensions)
  let read = first.length
  if (read <= promised && read > 0) yield first
  if (read <= promised) {
    for await (const chunk of rest) {
      read += chunk.length
      if (read > promised) break
      yield chunk
    }
  }
  checkCount(path, dimensions, read)
}

function checkCount(path: string, dimensions: number[], held: number): void {
  const promised = product(dimensions)
  if (held === promised) return
  const what = held > promised ? `more than ${promised}` : `only ${held}`
  throw corrupt(path, `promises ${dimensions.join(' x ')} = ${promised} values, but holds ${what}; fetch it again`)
}

function checkExpansion(path: string, dimensions: number[], size: number): void {
  const promised = product(dimensions)
  if (promised <= size * mostExpansion) return
  const values = `${dimensions.join(' x ')} = ${promised} values`
  throw corrupt(path, `promises ${values}, more than a gzip file of ${size} bytes can hold; fetch it again`)
}

function product(dimensions: number[]): number {
  return dimensions.reduce((all, size) => all * size, 1)
}
