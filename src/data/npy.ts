/**
 * Reads numpy's arrays: .npy files, and those in .npz archives. A mark, a version, the length of a header, the header (a dictionary as
 * Python writes it), then the values.
 */

import { Buffer } from 'node:buffer'
import { corrupt, explained, type OpenFile, openFile, pieceLength, readAtLeast } from './files.js'
import { isZip, openEntry, zipEntries } from './zip.js'

const mark = Buffer.from('\x93NUMPY', 'latin1')
const mostHeader = 1 << 20 // bytes; those of plain arrays have some hundred

/** The type of an array's values. */
export interface NumberType {
  kind: 'bool' | 'int' | 'uint' | 'float'
  /** Bytes of a value. */
  size: number
  isBigEndian: boolean
  /** As numpy writes it, such as `<f4`. */
  name: string
}

/** An array's type, its sizes and its values as bytes, piece by piece. Close it, whether they were read or not. */
export interface NpyArray {
  /** What errors call it. */
  name: string
  type: NumberType
  shape: number[]
  isFortran: boolean
  pieces: AsyncIterable<Buffer>
  close(): Promise<void>
}

/** Bytes of which is known how many there are. */
interface Source {
  name: string
  size: number
  chunks: AsyncGenerator<Buffer, void, void>
  close(): Promise<void>
}

/**
 * Opens the array of a .npy file, or one of an archive: that of this name or, without a name, the only one. Nothing is read beyond its
 * header, which must promise as many values as there are.
 */
export async function openNpy(path: string, name?: string): Promise<NpyArray> {
  const file = await openFile(path)
  let source: Source | undefined
  try {
    source = isZip(file.start) ? await entryOf(path, file, name) : plain(path, file, name)
    return await readHeader(source)
  } catch (error) {
    await source?.close()
    await file.handle.close()
    throw error
  }
}

function plain(path: string, { handle, size }: OpenFile, name: string | undefined): Source {
  if (name !== undefined) throw corrupt(path, 'is no .npz archive; name a .npy file by images or labels alone')
  const stream = handle.createReadStream({ start: 0, highWaterMark: pieceLength })
  const close = async () => {
    stream.destroy()
    await handle.close()
  }
  return { name: path, size, chunks: explained(path, stream, 'zip'), close }
}

async function entryOf(path: string, file: OpenFile, name: string | undefined): Promise<Source> {
  const entries = (await zipEntries(path, file)).filter((entry) => entry.name.endsWith('.npy'))
  const names = entries.map((entry) => entry.name.slice(0, -'.npy'.length))
  const entry =
    name === undefined ? entries[0] : entries.find((_, i) => names[i] === name || `${names[i]}.npy` === name)
  if (!entry || (name === undefined && entries.length > 1)) {
    const list = names.length > 0 ? names.join(', ') : 'none'
    const what = name === undefined ? 'has not one array alone' : `has no array ${JSON.stringify(name)}`
    throw corrupt(path, `${what}; its arrays are ${list}: name them by file, images and labels`)
  }
  const { chunks, close } = await openEntry(path, file, entry)
  return { name: `${path} (${entry.name})`, size: entry.size, chunks, close }
}

async function readHeader({ name, size, chunks, close }: Source): Promise<NpyArray> {
  let read = await readAtLeast(name, chunks, Buffer.alloc(0), 12)
  if (!read.subarray(0, mark.length).equals(mark)) throw corrupt(name, 'is no .npy file, which begin with \\x93NUMPY')
  const version = read[6] as number
  if (version < 1 || version > 3) throw corrupt(name, `is of version ${version}; versions 1 to 3 can be read`)
  const [length, start] = version === 1 ? [read.readUInt16LE(8), 10] : [read.readUInt32LE(8), 12]
  if (length > mostHeader) throw corrupt(name, `promises a header of ${length} bytes; is it the right file?`)
  read = await readAtLeast(name, chunks, read, start + length)
  const header = read.toString(version === 3 ? 'utf8' : 'latin1', start, start + length)
  const { type, shape, isFortran } = parse(name, header)
  const promised = shape.reduce((product, size) => product * size, 1) * type.size
  const held = size - start - length
  if (promised !== held) {
    throw corrupt(name, `promises ${shape.join(' x ')} values of ${type.name}, ${promised} bytes, but holds ${held}`)
  }
  return { name, type, shape, isFortran, pieces: joined(read.subarray(start + length), chunks), close }
}

/** `{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }` */
function parse(name: string, header: string): Pick<NpyArray, 'type' | 'shape' | 'isFortran'> {
  const [, descr] = /'descr':\s*'([^']*)'/.exec(header) ?? []
  const [, order] = /'fortran_order':\s*(True|False)/.exec(header) ?? []
  const [, sizes] = /'shape':\s*\(([\d\s,L]*)\)/.exec(header) ?? []
  if (order === undefined || sizes === undefined) {
    throw corrupt(name, 'has a header without fortran_order and shape; is it the right file?')
  }
  if (descr === undefined) throw corrupt(name, 'holds records of several fields; save each as an array of its own')
  const shape = Array.from(sizes.matchAll(/\d+/g), ([digits]) => Number(digits))
  return { type: typeOf(name, descr), shape, isFortran: order === 'True' }
}

const kinds = { b: 'bool', i: 'int', u: 'uint', f: 'float' } as const

function typeOf(name: string, descr: string): NumberType {
  const [, order, letter, digits] = /^([<>|=])([biuf])([1248])$/.exec(descr) ?? []
  const kind = kinds[letter as keyof typeof kinds]
  if (kind === undefined) throw corrupt(name, `holds values of type ${descr}, which are no numbers that can be read`)
  return { kind, size: Number(digits), isBigEndian: order === '>', name: descr }
}

async function* joined(first: Buffer, rest: AsyncIterable<Buffer>) {
  if (first.length > 0) yield first
  yield* rest
}
