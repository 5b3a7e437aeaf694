/**
 * Reads IDX files, the format of MNIST and its relatives: two zero bytes, a type (8 for bytes), the number of dimensions,
 * each size as a big-endian 32-bit integer, then the values. Plain or in gzip, whatever the name says.
 */

import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CandlewickError } from '../errors.js'

const typeBytes = 0x08
const pieceLength = 1 << 18 // small enough that copying a piece costs the event loop nothing

/** Sizes of an IDX file's dimensions, and its values piece by piece. Close it, whether they were read or not. */
export interface IdxFile {
  dimensions: number[]
  pieces: AsyncIterable<Buffer>
  close(): void
}

/** Opens an IDX file of bytes with one of these numbers of dimensions. Its `pieces` throw if the file is not as promised. */
export async function openIdx(path: string, allowedDimensions: readonly number[]): Promise<IdxFile> {
  const isCompressed = await isGzip(path)
  const file = createReadStream(path, { highWaterMark: pieceLength })
  // The pipeline passes the file's errors on to its end, where they are seen.
  const stream = isCompressed ? pipeline(file, createGunzip({ chunkSize: pieceLength }), () => {}) : file
  const chunks = explained(path, stream)
  try {
    const start = await readAtLeast(path, chunks, Buffer.alloc(0), 4)
    const count = checkMagic(path, start, allowedDimensions)
    const header = await readAtLeast(path, chunks, start, 4 + 4 * count)
    const dimensions = Array.from({ length: count }, (_, i) => header.readUInt32BE(4 + 4 * i))
    const values = pieces(path, header.subarray(4 + 4 * count), chunks, dimensions)
    return { dimensions, pieces: values, close: () => file.destroy() }
  } catch (error) {
    file.destroy()
    throw error
  }
}

async function isGzip(path: string): Promise<boolean> {
  try {
    const file = await open(path)
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2)
      return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
    } finally {
      await file.close()
    }
  } catch (error) {
    throw notReadable(path, error)
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

/** Takes chunks until there are `length` bytes. */
async function readAtLeast(path: string, chunks: AsyncIterator<Buffer>, start: Buffer, length: number) {
  let read = start
  while (read.length < length) {
    const { done, value } = await chunks.next()
    if (done) throw corrupt(path, `ends after ${read.length} bytes, within its header; fetch it again`)
    read = Buffer.concat([read, value])
  }
  return read
}

async function* pieces(path: string, first: Buffer, rest: AsyncIterable<Buffer>, dimensions: number[]) {
  const promised = dimensions.reduce((product, size) => product * size, 1)
  let read = first.length
  if (read <= promised && read > 0) yield first
  if (read <= promised) {
    for await (const chunk of rest) {
      read += chunk.length
      if (read > promised) break
      yield chunk
    }
  }
  if (read === promised) return
  const sizes = dimensions.join(' x ')
  const held = read > promised ? `more than ${promised}` : `only ${read}`
  throw corrupt(path, `promises ${sizes} = ${promised} values, but holds ${held}; fetch it again`)
}

/** The chunks of a stream, with its errors put into words. */
async function* explained(path: string, stream: Readable): AsyncGenerator<Buffer, void, void> {
  try {
    yield* stream as AsyncIterable<Buffer>
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'Z_BUF_ERROR') throw corrupt(path, 'is a gzip file that is cut short; fetch it again', error)
    if (code.startsWith('Z_')) throw corrupt(path, 'is a damaged gzip file; fetch it again', error)
    throw notReadable(path, error)
  }
}

/** What is wrong with the content of a file. */
export function corrupt(path: string, what: string, cause?: unknown): CandlewickError {
  return new CandlewickError('DATA_CORRUPT', `${path} ${what}.`, { cause })
}

function notReadable(path: string, cause: unknown): CandlewickError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new CandlewickError('DATA_NOT_FOUND', `Cannot read ${path}: ${reason}.`, { cause })
}
