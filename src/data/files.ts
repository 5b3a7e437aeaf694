/** Files of data, however they are written: opened, read in pieces, and what is wrong with them put into words. */

import { Buffer } from 'node:buffer'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { CandlewickError, codeOf, isOutOfMemory, messageOf } from '../errors.js'
import { allocate, outOfMemory } from '../memory.js'

export const pieceLength = 1 << 18 // bytes, few enough that copying a piece costs the event loop nothing

/** A file that is open for reading. */
export interface OpenFile {
  handle: FileHandle
  size: number
  /** Its first bytes, four if there are as many, which tell what it is, whatever its name says. */
  start: Buffer
}

/** Opens a plain file: a pipe or a device could keep us waiting, or go on for ever. */
export async function openFile(path: string): Promise<OpenFile> {
  let handle: FileHandle | undefined
  try {
    // Otherwise opening a pipe would wait for a writer; systems without pipes lack the flag.
    handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const found = await handle.stat()
    if (!found.isFile()) throw new Error(`it is ${found.isDirectory() ? 'a folder' : 'a pipe or device'}, not a file`)
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0)
    return { handle, size: found.size, start: buffer.subarray(0, bytesRead) }
  } catch (error) {
    await handle?.close()
    throw notReadable(path, error)
  }
}

/** The chunks of a stream, with its errors put into words; `kind` is that of the file, should what is compressed in it be damaged. */
export async function* explained(
  path: string,
  stream: Readable,
  kind: 'gzip' | 'zip',
): AsyncGenerator<Buffer, void, void> {
  try {
    yield* stream as AsyncIterable<Buffer>
  } catch (error) {
    const code = codeOf(error)
    if (isOutOfMemory(error)) throw outOfMemory(`reading ${path}`, error)
    if (code === 'Z_BUF_ERROR') throw corrupt(path, `is a ${kind} file that is cut short; fetch it again`, error)
    if (code.startsWith('Z_')) throw corrupt(path, `is a damaged ${kind} file; fetch it again`, error)
    throw notReadable(path, error)
  }
}

/** The bytes `start` to `end` of a file. */
export async function readAt(path: string, handle: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.from(allocate(`a piece of ${path}`, Uint8Array, end - start).buffer)
  let read = 0
  while (read < bytes.length) {
    const { bytesRead } = await handle.read(bytes, read, bytes.length - read, start + read).catch((error) => {
      throw notReadable(path, error)
    })
    if (bytesRead === 0) throw corrupt(path, `ends before byte ${end}; fetch it again`)
    read += bytesRead
  }
  return bytes
}

/** Takes chunks until there are `length` bytes. */
export async function readAtLeast(path: string, chunks: AsyncIterator<Buffer>, start: Buffer, length: number) {
  let read = start
  while (read.length < length) {
    const { done, value } = await chunks.next()
    if (done) throw corrupt(path, `ends after ${read.length} bytes, within its header; fetch it again`)
    read = Buffer.concat([read, value])
  }
  return read
}

/** The chunks as pieces that are whole multiples of `unit` bytes, but for the last. */
export async function* inUnits(chunks: AsyncIterable<Buffer>, unit: number): AsyncGenerator<Buffer, void, void> {
  let waiting: Buffer[] = []
  let length = 0
  for await (const chunk of chunks) {
    waiting.push(chunk)
    length += chunk.length
    if (length < unit) continue
    const all = waiting.length === 1 ? chunk : Buffer.concat(waiting)
    const whole = length - (length % unit)
    yield all.subarray(0, whole)
    length -= whole
    waiting = length > 0 ? [all.subarray(whole)] : []
  }
  if (length > 0) yield Buffer.concat(waiting)
}

/** What is wrong with the content of a file. */
export function corrupt(path: string, what: string, cause?: unknown): CandlewickError {
  return new CandlewickError('DATA_CORRUPT', `${path} ${what}.`, { cause })
}

export function notReadable(path: string, cause: unknown): CandlewickError {
  return new CandlewickError('DATA_NOT_FOUND', `Cannot read ${path}: ${messageOf(cause)}.`, { cause })
}
