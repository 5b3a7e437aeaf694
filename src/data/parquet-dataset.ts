import { setImmediate } from 'node:timers/promises'
import { types } from 'node:util'
import * as zlib from 'node:zlib'
import type { AsyncBuffer, Compressors, FileMetaData } from 'hyparquet'
import { callAddon, type DatasetBuilder } from '../addon.js'
import { CandlewickError, messageOf } from '../errors.js'
import { expectOptions, expectPath, expectSignal, expectString, reading, unexpected } from '../expect.js'
import { newBuilder, pushInPieces } from './building.js'
import { checkClasses, commonClasses, requireNames } from './classes.js'
import { type Dataset, datasetOf } from './dataset.js'
import { corrupt, type OpenFile, openFile, readAt } from './files.js'
import { type ByteImages, type CheckedImages, checkImages } from './images.js'

/** Makes images of pictures as their files hold them: as many as there are, all of one shape. */
export type DecodePictures = (
  encoded: readonly Uint8Array[],
  signal: AbortSignal | undefined,
) => Promise<{ data: Uint8Array; shape: readonly number[] }>

/** Which files, and what is in them. */
export type ParquetDatasetOptions = {
  /** The column of the pictures, as bytes or as Hugging Face's images; `image` by default. */
  image?: string
  /** The column of the labels, integers from 0 to 65,535; `label` by default. */
  label?: string
  /** What each label stands for, from 0 on; by default what Hugging Face wrote into the file. */
  classes?: readonly string[] | undefined
  /** Ends the load, which then throws the signal's reason. */
  signal?: AbortSignal | undefined
} & ({ file: string } | { files: readonly string[] })

type Given = { file?: string; files?: readonly string[] } & Omit<ParquetDatasetOptions, 'file' | 'files'>

/** Columns by what they are of. */
interface Columns {
  image: string
  label: string
}

const decodedAtOnce = 256 // pictures

/**
 * Reads Parquet files of pictures and labels, as Hugging Face's data sets are; several files are one data set, one behind the other.
 * Pictures are decoded some hundred at a time; of the files, a row group is in memory at once.
 */
export async function parquetDatasetBy(
  options: ParquetDatasetOptions,
  decode: DecodePictures,
): Promise<Dataset<ByteImages>> {
  const keys = { file: true, files: true, image: true, label: true, classes: true, signal: true } as const
  const given = expectOptions<Given>('parquetDataset', options, keys)
  const paths = checkPaths(given.file, given.files)
  const columns = {
    image: given.image === undefined ? 'image' : expectString('image', given.image),
    label: given.label === undefined ? 'label' : expectString('label', given.label),
  }
  const [classes, signal] = [checkClasses(given.classes), expectSignal(given.signal)]
  signal?.throwIfAborted()
  const tables: Table[] = []
  try {
    for (const path of paths) tables.push(await openTable(path, columns))
    const names = classes ?? tables.map(({ classes }) => classes).reduce(commonClasses, undefined)
    const native = await read(tables, columns, decode, signal)
    return datasetOf(native, { classes: requireNames(names, native.largestLabel) })
  } finally {
    await Promise.all(tables.map(({ file }) => file.handle.close()))
  }
}

function checkPaths(file: unknown, files: unknown): string[] {
  if ((file === undefined) === (files === undefined)) {
    throw new CandlewickError(
      'INVALID_ARGUMENT',
      'Give parquetDataset either file, a path, or files, an array of paths.',
    )
  }
  if (file !== undefined) return [expectPath('file', file)]
  const given = reading('files', () => (Array.isArray(files) ? Array.from(files as unknown[]) : []))
  if (given.length === 0) throw unexpected('files', 'an array of paths', files)
  return given.map((path, i) => expectPath(`files[${i}]`, path))
}

/** A file, and what it says of itself. */
interface Table {
  path: string
  file: OpenFile
  buffer: AsyncBuffer
  metadata: FileMetaData
  classes: readonly string[] | undefined
}

/** Loaded by who has such files. */
const parser = () => import('hyparquet')

async function openTable(path: string, columns: Columns): Promise<Table> {
  const { parquetMetadataAsync, parquetSchema } = await parser()
  const file = await openFile(path)
  try {
    const buffer = bufferOf(path, file)
    const metadata = await parsing(path, () => parquetMetadataAsync(buffer))
    const names = parquetSchema(metadata).children.map(({ element }) => element.name)
    checkColumns(path, metadata, names, columns)
    return { path, file, buffer, metadata, classes: classesOf(metadata, columns) }
  } catch (error) {
    await file.handle.close()
    throw error
  }
}

/** What the parser reads a file by. */
function bufferOf(path: string, file: OpenFile): AsyncBuffer {
  const read = async (start: number, end: number) => {
    const isWithin = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= file.size
    if (!isWithin)
      throw corrupt(path, `is a damaged Parquet file (bytes ${start} to ${end} of ${file.size}); fetch it again`)
    const { buffer, byteOffset, length } = await readAt(path, file.handle, start, end)
    const isWhole = byteOffset === 0 && length === buffer.byteLength
    return isWhole ? (buffer as ArrayBuffer) : (buffer as ArrayBuffer).slice(byteOffset, byteOffset + length)
  }
  const slice = (start: number, end = file.size) => {
    const reading = read(start, end)
    reading.catch(() => {}) // the parser reads ahead, and may have found another fault before it comes to this
    return reading
  }
  return { byteLength: file.size, slice }
}

/** What the parser throws says what is wrong with the file, unless it is of reading it. */
async function parsing<T>(path: string, parse: () => Promise<T>): Promise<T> {
  try {
    return await parse()
  } catch (error) {
    if (error instanceof CandlewickError) throw error
    throw corrupt(path, `is a damaged Parquet file, or none (${messageOf(error)}); fetch it again`, error)
  }
}

function checkColumns(path: string, metadata: FileMetaData, names: readonly string[], { image, label }: Columns): void {
  for (const [option, name] of Object.entries({ image, label })) {
    if (names.includes(name)) continue
    const message = `${path} has no column ${JSON.stringify(name)}, but ${names.join(', ')}; say by ${option} which it is.`
    throw new CandlewickError('DATA_MISMATCH', message)
  }
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data } of columns) {
      const { codec, path_in_schema: [name] = [] } = meta_data ?? {}
      if (codec === undefined || codec === 'UNCOMPRESSED' || codec === 'SNAPPY' || codec in compressors) continue
      if (name !== image && name !== label) continue
      const advice = codec === 'ZSTD' ? 'use Node 22.15 or newer, or write it anew' : 'write it anew'
      throw corrupt(path, `is compressed by ${codec}, which cannot be read here; ${advice} with snappy, gzip or brotli`)
    }
  }
}

/** The parser knows Snappy itself. */
const compressors: Compressors = {
  GZIP: (input) => zlib.gunzipSync(input),
  BROTLI: (input) => zlib.brotliDecompressSync(input),
}
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: (input: Uint8Array) => Uint8Array }
if (zstdDecompressSync) compressors.ZSTD = (input) => zstdDecompressSync(input)

/** The names that Hugging Face keeps beside the schema. */
function classesOf({ key_value_metadata }: FileMetaData, { label }: Columns): readonly string[] | undefined {
  const text = key_value_metadata?.find(({ key }) => key === 'huggingface')?.value
  if (text === undefined) return undefined
  try {
    return checkClasses(JSON.parse(text)?.info?.features?.[label]?.names ?? undefined)
  } catch {
    return undefined // it is no data set's, or not as it was
  }
}

async function read(tables: Table[], columns: Columns, decode: DecodePictures, signal: AbortSignal | undefined) {
  const count = tables.reduce((sum, { metadata }) => sum + Number(metadata.num_rows), 0)
  let building: { builder: DatasetBuilder; first: CheckedImages } | undefined
  for (const table of tables) {
    for await (const { encoded, labels, row } of picturesOf(table, columns)) {
      signal?.throwIfAborted()
      const images = checkDecoded(
        await decode(encoded, signal),
        `${table.path}, from row ${row} on`,
        encoded,
        building?.first,
      )
      signal?.throwIfAborted()
      const [, ...shape] = images.shape
      building ??= { builder: newBuilder({ count, shape }), first: images }
      const { builder } = building
      callAddon(() => builder.pushLabels(labels))
      await pushInPieces('decoded pictures', builder, images.data)
    }
  }
  if (!building) throw corrupt(tables[0]?.path ?? '', 'has no rows; is it the right file?')
  const { builder } = building
  return callAddon(() => builder.finish())
}

/** Some hundred rows at a time. */
async function* picturesOf({ path, buffer: file, metadata }: Table, { image, label }: Columns) {
  const { parquetReadObjects } = await parser()
  let start = 0
  for (const group of metadata.row_groups) {
    const end = start + Number(group.num_rows)
    const options = { file, metadata, columns: [image, label], rowStart: start, rowEnd: end, utf8: false, compressors }
    const rows = await parsing(path, () => parquetReadObjects(options))
    if (rows.length !== end - start)
      throw corrupt(path, `promises ${end - start} rows more from row ${start} on, but has ${rows.length}`)
    for (let from = 0; from < rows.length; from += decodedAtOnce) {
      const some = rows.slice(from, from + decodedAtOnce)
      const row = start + from
      const encoded = some.map((values, i) => pictureOf(path, row + i, values[image]))
      const labels = Uint16Array.from(some, (values, i) => labelOf(path, row + i, values[label]))
      yield { encoded, labels, row }
      await setImmediate()
    }
    start = end
  }
}

/** Of bytes, or of Hugging Face's { bytes, path }. */
function pictureOf(path: string, row: number, value: unknown): Uint8Array {
  const { bytes = value } = Object(value) as { bytes?: unknown }
  if (types.isUint8Array(bytes) && bytes.length > 0) return bytes
  throw corrupt(path, `has no picture's bytes in row ${row}; a file that names pictures elsewhere cannot be read`)
}

function labelOf(path: string, row: number, value: unknown): number {
  const label = typeof value === 'bigint' ? Number(value) : value
  if (typeof label === 'number' && Number.isInteger(label) && label >= 0 && label <= 65_535) return label
  throw corrupt(path, `has no label from 0 to 65535 in row ${row}`)
}

function checkDecoded(
  made: unknown,
  where: string,
  { length }: unknown[],
  first: CheckedImages | undefined,
): CheckedImages {
  const images = checkImages(made)
  const [count, ...shape] = images.shape
  const [, ...expected] = first?.shape ?? images.shape
  if (count === length && shape.join() === expected.join() && images.data instanceof Uint8Array) return images
  const message = `The pictures of ${where}, came as images of shape [${images.shape.join(', ')}], not of [${[length, ...expected].join(', ')}]; make all of one size.`
  throw new CandlewickError('DATA_MISMATCH', message)
}
