import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { callAddon, type DatasetBuilder } from '../addon.js'
import { CandlewickError, codeOf } from '../errors.js'
import { expectOneOf, expectOptions, expectPath, expectSignal } from '../expect.js'
import { newBuilder } from './building.js'
import { type Dataset, datasetOf } from './dataset.js'
import { corrupt, explained, inUnits, notReadable, openFile, pieceLength } from './files.js'
import type { TrainAndTest } from './idx-dataset.js'
import type { ByteImages } from './images.js'

const shape = [3, 32, 32]
const pixels = 3 * 32 * 32

/** How a data set's files are made: records of labels and an image, of which one label is taken. */
interface Format {
  /** The folder that its archive unpacks to. */
  folder: string
  train: readonly string[]
  test: readonly string[]
  names: string
  classes: number
  /** Labels of a record, and the place of the one that is taken. */
  labels: number
  label: number
}

const cifar10Format: Format = {
  folder: 'cifar-10-batches-bin',
  train: [1, 2, 3, 4, 5].map((number) => `data_batch_${number}.bin`),
  test: ['test_batch.bin'],
  names: 'batches.meta.txt',
  classes: 10,
  labels: 1,
  label: 0,
}

const cifar100Format = { folder: 'cifar-100-binary', train: ['train.bin'], test: ['test.bin'], labels: 2 }
const coarse: Format = { ...cifar100Format, names: 'coarse_label_names.txt', classes: 20, label: 0 }
const fine: Format = { ...cifar100Format, names: 'fine_label_names.txt', classes: 100, label: 1 }

/** Options of {@link cifar10}. */
export interface Cifar10Options {
  /** The folder of the files, or the one that the archive was unpacked in. */
  dir: string
  /** Ends the load, which then throws the signal's reason. */
  signal?: AbortSignal | undefined
}

/** Options of {@link cifar100}. */
export interface Cifar100Options extends Cifar10Options {
  /** Which labels: those of the 100 classes, which it is by default, or those of the 20 superclasses. */
  labels?: 'fine' | 'coarse'
}

/** CIFAR-10 in its binary form: 50,000 training and 10,000 test images (3, 32, 32) of ten kinds of things. */
export async function cifar10(options: Cifar10Options): Promise<TrainAndTest> {
  const given = expectOptions<Cifar10Options>('cifar10', options, { dir: true, signal: true })
  return load(cifar10Format, expectPath('dir', given.dir), expectSignal(given.signal))
}

/** CIFAR-100 in its binary form: 50,000 training and 10,000 test images (3, 32, 32) of a hundred kinds of things. */
export async function cifar100(options: Cifar100Options): Promise<TrainAndTest> {
  const given = expectOptions<Cifar100Options>('cifar100', options, { dir: true, labels: true, signal: true })
  const labels = given.labels === undefined ? 'fine' : expectOneOf('labels', ['fine', 'coarse'], given.labels)
  return load({ fine, coarse }[labels], expectPath('dir', given.dir), expectSignal(given.signal))
}

async function load(format: Format, given: string, signal: AbortSignal | undefined): Promise<TrainAndTest> {
  signal?.throwIfAborted()
  const inner = join(given, format.folder)
  const dir = (await isFolder(inner)) ? inner : given
  const classes = await readNames(format, dir)
  const train = await readPart(format, dir, format.train, classes, signal)
  const test = await readPart(format, dir, format.test, classes, signal)
  return { train, test }
}

async function readPart(
  format: Format,
  dir: string,
  names: readonly string[],
  classes: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Dataset<ByteImages>> {
  const record = format.labels + pixels
  let count = 0
  for (const name of names) count += (await sizeOf(dir, name, format, record)) / record
  const builder = newBuilder({ count, shape })
  let read = 0
  for (const name of names) read += await readRecords(join(dir, name), format, builder, signal)
  if (read !== count) throw corrupt(join(dir, names.at(-1) ?? ''), 'changed while it was read; load it again')
  return datasetOf(
    callAddon(() => builder.finish()),
    { classes },
  )
}

async function readRecords(
  path: string,
  format: Format,
  builder: DatasetBuilder,
  signal: AbortSignal | undefined,
): Promise<number> {
  const record = format.labels + pixels
  const { handle } = await openFile(path)
  const stream = handle.createReadStream({ start: 0, highWaterMark: pieceLength })
  let read = 0
  try {
    for await (const piece of inUnits(explained(path, stream, 'zip'), record)) {
      signal?.throwIfAborted()
      const count = Math.floor(piece.length / record)
      const [labels, images] = [new Uint16Array(count), new Uint8Array(count * pixels)]
      for (let i = 0; i < count; i++) {
        const start = i * record
        labels[i] = checkLabel(path, read + i, piece[start + format.label] as number, format)
        images.set(piece.subarray(start + format.labels, start + record), i * pixels)
      }
      callAddon(() => builder.pushLabels(labels))
      callAddon(() => builder.pushPixels(images))
      read += count
    }
  } finally {
    stream.destroy()
  }
  return read
}

function checkLabel(path: string, image: number, label: number, { classes }: Format): number {
  if (label < classes) return label
  throw corrupt(
    path,
    `has label ${label} for its image ${image}, but there are ${classes} classes; is it the right file?`,
  )
}

/** Of a file of whole records. */
async function sizeOf(dir: string, name: string, format: Format, record: number): Promise<number> {
  const path = join(dir, name)
  const { size } = await stat(path).catch((error) => {
    throw missing(dir, name, format, error)
  })
  if (size > 0 && size % record === 0) return size
  throw corrupt(path, `has ${size} bytes, which is no number of records of ${record}; fetch it again`)
}

async function readNames(format: Format, dir: string): Promise<readonly string[]> {
  const path = join(dir, format.names)
  const text = await readFile(path, 'utf8').catch((error) => {
    throw missing(dir, format.names, format, error)
  })
  const names = text.split(/\r?\n/).flatMap((line) => line.trim() || [])
  if (names.length === format.classes && new Set(names).size === names.length) return Object.freeze(names)
  throw corrupt(
    path,
    `has ${names.length} names of classes instead of ${format.classes} different ones; fetch it again`,
  )
}

function missing(dir: string, name: string, { folder }: Format, error: unknown): CandlewickError {
  if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') return notReadable(join(dir, name), error)
  const message = `There is no ${name} in ${dir}; unpack the binary version of the data set there (${folder}).`
  return new CandlewickError('DATA_NOT_FOUND', message, { cause: error })
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
