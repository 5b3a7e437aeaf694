/**
 * Reads IDX files, the format of MNIST and its relatives: two zero bytes, a type (8 for bytes), the number of dimensions,
 * each size as a big-endian 32-bit integer, then the values. Plain or in gzip, whatever the name says.
 */

import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CandlewickError, codeOf, isOutOfMemory, messageOf } from '../errors.js'
import { outOfMemory } from '../memory.js'

const typeBytes = 0x08
const pieceLength = 1 << 18 // small enough that copying a piece costs the event loop nothing
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
  const { handle, size, isCompressed } = await openFile(path)
  const file = handle.createReadStream({ start: 0, highWaterMark: pieceLength })
  // The pipeline passes the file's errors on to its end, where they are seen.
  const stream = isCompressed ? pipeline(file, createGunzip({ chunkSize: pieceLength }), () => {}) : file
  const chunks = explained(path, stream)
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

/** A plain file: a pipe or a device could keep us waiting, or go on for ever. */
async function openFile(path: string): Promise<{ handle: FileHandle; size: number; isCompressed: boolean }> {
  let handle: FileHandle | undefined
  try {
    // Otherwise opening a pipe would wait for a writer; systems without pipes lack the flag.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const found = await handle.stat()
    if (!found.isFile()) throw new Error(`it is ${found.isDirectory() ? 'a folder' : 'a pipe or device'}, not a file`)
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    return { handle, size: found.size, isCompressed: bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b }
  } catch (error) {
    await handle?.close()
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

/** The chunks of a stream, with its errors put into words. */
async function* explained(path: string, stream: Readable): AsyncGenerator<Buffer, void, void> {
  try {
    yield* stream as AsyncIterable<Buffer>
  } catch (error) {
    const code = codeOf(error)
    if (isOutOfMemory(error)) throw outOfMemory(`reading ${path}`, error)
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
  return new CandlewickError('DATA_NOT_FOUND', `Cannot read ${path}: ${messageOf(cause)}.`, { cause })
}
