/**
 * Reads files out of zip archives, as numpy's .npz files are: what the list at the archive's end names, stored or deflated, with the
 * wider fields (ZIP64) that numpy writes or without.
 */

import type { Buffer } from 'node:buffer'
import { pipeline, Readable } from 'node:stream'
import { crc32, createInflateRaw } from 'node:zlib'
import { corrupt, explained, type OpenFile, pieceLength, readAt } from './files.js'

const marks = { entry: 0x04034b50, listed: 0x02014b50, end: 0x06054b50, wideEnd: 0x06064b50, wideEndPlace: 0x07064b50 }
const endLength = 22
const mostComment = 0xffff
const mostListed = 1 << 26 // bytes of a list, far more than data sets need

/** A file in an archive. */
export interface ZipEntry {
  name: string
  /** Bytes as it is, and in the archive. */
  size: number
  compressedSize: number
  method: number
  isEncrypted: boolean
  checksum: number
  /** Where its own header is. */
  place: number
}

/** Whether a file that begins with these bytes is an archive. */
export function isZip(start: Buffer): boolean {
  return start.length >= 4 && [marks.entry, marks.end].includes(start.readUInt32LE(0))
}

/** All files of an archive. */
export async function zipEntries(path: string, { handle, size }: OpenFile): Promise<ZipEntry[]> {
  const tail = await readAt(path, handle, Math.max(0, size - endLength - mostComment), size)
  const at = findEnd(path, tail)
  let [length, place] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)]
  let count = tail.readUInt16LE(at + 10)
  const wide =
    at >= 20 && tail.readUInt32LE(at - 20) === marks.wideEndPlace ? wideNumber(path, tail, at - 12) : undefined
  if (wide !== undefined) {
    const end = await readAt(path, handle, wide, wide + 56)
    if (end.readUInt32LE(0) !== marks.wideEnd) throw damaged(path)
    count = wideNumber(path, end, 32)
    length = wideNumber(path, end, 40)
    place = wideNumber(path, end, 48)
  }
  if (length > mostListed || place + length > size) throw damaged(path)
  const list = await readAt(path, handle, place, place + length)
  return entriesOf(path, list, count)
}

function entriesOf(path: string, list: Buffer, count: number): ZipEntry[] {
  const entries: ZipEntry[] = []
  let at = 0
  while (entries.length < count) {
    if (at + 46 > list.length || list.readUInt32LE(at) !== marks.listed) throw damaged(path)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => list.readUInt16LE(at + field)) as [
      number,
      number,
      number,
    ]
    const extraStart = at + 46 + nameLength
    if (extraStart + extraLength + commentLength > list.length) throw damaged(path)
    const entry = {
      name: list.toString('utf8', at + 46, extraStart),
      compressedSize: list.readUInt32LE(at + 20),
      size: list.readUInt32LE(at + 24),
      method: list.readUInt16LE(at + 10),
      isEncrypted: (list.readUInt16LE(at + 8) & 1) === 1,
      checksum: list.readUInt32LE(at + 16),
      place: list.readUInt32LE(at + 42),
    }
    entries.push(widened(path, entry, list.subarray(extraStart, extraStart + extraLength)))
    at = extraStart + extraLength + commentLength
  }
  return entries
}

/** With the wide fields in place of those that are full, in their order. */
function widened(path: string, entry: ZipEntry, extra: Buffer): ZipEntry {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue
    let field = at + 4
    const wide = { ...entry }
    for (const key of ['size', 'compressedSize', 'place'] as const) {
      if (entry[key] !== 0xffffffff) continue
      wide[key] = wideNumber(path, extra, field)
      field += 8
    }
    return wide
  }
  return entry
}

/** The bytes of a file in an archive, which is closed with them. Its chunks throw if they are not as the archive says. */
export async function openEntry(path: string, file: OpenFile, entry: ZipEntry) {
  const { name, method, compressedSize, place } = entry
  if (entry.isEncrypted) throw corrupt(path, `holds ${name} encrypted; unpack it first`)
  if (method !== 0 && method !== 8) {
    throw corrupt(path, `holds ${name} by compression method ${method}; stored and deflated files can be read`)
  }
  const header = await readAt(path, file.handle, place, place + 30)
  if (header.readUInt32LE(0) !== marks.entry) throw damaged(path)
  const start = place + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
  if (start + compressedSize > file.size) throw damaged(path)
  const stored =
    compressedSize === 0
      ? Readable.from([])
      : file.handle.createReadStream({ start, end: start + compressedSize - 1, highWaterMark: pieceLength })
  const stream = method === 0 ? stored : pipeline(stored, createInflateRaw({ chunkSize: pieceLength }), () => {})
  const close = () => {
    stored.destroy()
    return file.handle.close()
  }
  return { chunks: checked(path, explained(path, stream, 'zip'), entry), close }
}

async function* checked(path: string, chunks: AsyncIterable<Buffer>, entry: ZipEntry) {
  let [read, checksum] = [0, 0]
  for await (const chunk of chunks) {
    read += chunk.length
    if (read > entry.size) break
    checksum = crc32(chunk, checksum)
    yield chunk
  }
  if (read !== entry.size || checksum !== entry.checksum) {
    throw corrupt(path, `holds ${entry.name}, which is not what the archive says; fetch it again`)
  }
}

/** Where the last mark of an end stands. */
function findEnd(path: string, tail: Buffer): number {
  for (let at = tail.length - endLength; at >= 0; at--) {
    if (tail.readUInt32LE(at) === marks.end) return at
  }
  throw corrupt(path, 'is a zip file that is cut short; fetch it again')
}

function wideNumber(path: string, bytes: Buffer, at: number): number {
  if (at + 8 > bytes.length) throw damaged(path)
  const number = bytes.readBigUInt64LE(at)
  if (number > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(path)
  return Number(number)
}

function damaged(path: string) {
  return corrupt(path, 'is a damaged zip file; fetch it again')
}
