import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { callAddon, type DatasetBuilder } from '../addon.js'
import { CandlewickError, codeOf } from '../errors.js'
import { expectOptions, expectPath, expectSignal, expectString } from '../expect.js'
import { newBuilder } from './building.js'
import { checkClasses, requireNames } from './classes.js'
import { type Dataset, datasetOf } from './dataset.js'
import { corrupt } from './files.js'
import { type IdxFile, openIdx } from './idx.js'
import type { ByteImages } from './images.js'

/**
 * The names that MNIST gave its files and its relatives kept, some behind a prefix, and EMNIST with another word for t10k; see
 * {@link candidates} for how unpackers changed them.
 */
const idxNames = {
  train: { images: ['train-images-idx3-ubyte'], labels: ['train-labels-idx1-ubyte'] },
  test: {
    images: ['t10k-images-idx3-ubyte', 'test-images-idx3-ubyte'],
    labels: ['t10k-labels-idx1-ubyte', 'test-labels-idx1-ubyte'],
  },
} as const

/** Training and test images. */
export interface TrainAndTest {
  /** Those to train on. */
  train: Dataset<ByteImages>
  /** Those to test by. */
  test: Dataset<ByteImages>
}

/** Options of {@link idxDataset}. */
export interface IdxDatasetOptions {
  /** The folder of the four files. */
  dir: string
  /** What the names of the files begin with, such as `emnist-letters`; found where all files of the folder have the same. */
  prefix?: string | undefined
  /** What each label stands for, from 0 on. */
  classes?: readonly string[] | undefined
  /** Ends the load, which then throws the signal's reason. */
  signal?: AbortSignal | undefined
}

/** Reads a folder of IDX files with MNIST's names, plain or in gzip: MNIST, Fashion-MNIST, KMNIST, EMNIST, ... */
export async function idxDataset(options: IdxDatasetOptions): Promise<TrainAndTest> {
  const keys = { dir: true, prefix: true, classes: true, signal: true } as const
  const given = expectOptions<IdxDatasetOptions>('idxDataset', options, keys)
  const dir = expectPath('dir', given.dir)
  const signal = expectSignal(given.signal)
  const classes = checkClasses(given.classes)
  const wanted = given.prefix === undefined ? undefined : expectString('prefix', given.prefix)
  signal?.throwIfAborted()
  const prefix = await findPrefix(dir, wanted)
  const parts = [readPart(dir, prefix, 'train', signal), readPart(dir, prefix, 'test', signal)] as const
  await Promise.allSettled(parts) // so that nothing is being read any more when an error leaves
  const [train, test] = [await parts[0], await parts[1]]
  requireNames(classes, Math.max(train.native.largestLabel, test.native.largestLabel))
  return { train: named(train, classes), test: named(test, classes) }
}

/** All images of a dataset, with these names of their classes. */
export function named(dataset: Dataset<ByteImages>, classes: readonly string[] | undefined): Dataset<ByteImages> {
  return datasetOf(dataset.native, { classes })
}

/** The first of the four files that `dir` does not have, or undefined for a complete folder. */
export async function missingFile(dir: string): Promise<string | undefined> {
  for (const { images, labels } of Object.values(idxNames)) {
    for (const names of [images, labels]) {
      if (!(await findFile(dir, names))) return names[0]
    }
  }
  return undefined
}

const anyName = /^(.*)(?:train|t10k|test)-(?:images|labels)[-.]idx[13]-ubyte(?:\.gz)?$/

/** What the names of all files begin with: what was asked for, MNIST's nothing, or the only other beginning that there is. */
async function findPrefix(dir: string, wanted: string | undefined): Promise<string> {
  const names = await readdir(dir).catch(() => []) // what the folder lacks is said by whoever looks for it
  const found = new Set(names.flatMap((name) => anyName.exec(name)?.[1] ?? []))
  if (wanted !== undefined) return [wanted, `${wanted}-`].find((prefix) => found.has(prefix)) ?? `${wanted}-`
  const [first = '', ...others] = [...found].sort()
  if (others.length === 0 || first === '') return first
  const list = [first, ...others].map((prefix) => prefix.replace(/-$/, '')).join(', ')
  const message = `There are files of several data sets in ${dir}; say which by prefix, one of ${list}.`
  throw new CandlewickError('INVALID_ARGUMENT', message)
}

async function readPart(
  dir: string,
  prefix: string,
  part: keyof typeof idxNames,
  signal: AbortSignal | undefined,
): Promise<Dataset<ByteImages>> {
  const { images: imageNames, labels: labelNames } = idxNames[part]
  const [imagesPath, labelsPath] = await Promise.all([
    requireFile(dir, prefixed(prefix, imageNames)),
    requireFile(dir, prefixed(prefix, labelNames)),
  ])
  const images = await openIdx(imagesPath, [3, 4])
  try {
    const labels = await openIdx(labelsPath, [1])
    try {
      checkCounts(imagesPath, images, labelsPath, labels)
      return await readDataset(imagesPath, images, labels, signal)
    } finally {
      labels.close()
    }
  } finally {
    images.close()
  }
}

/** What the headers promise must agree before memory is taken for it. */
function checkCounts(imagesPath: string, images: IdxFile, labelsPath: string, labels: IdxFile): void {
  const [count, ...shape] = images.dimensions
  const [labelCount] = labels.dimensions
  if (shape.includes(0)) {
    throw corrupt(imagesPath, `promises images of ${shape.join(' x ')} pixels; is it the right file?`)
  }
  if (count !== labelCount) {
    const message = `${imagesPath} holds ${count} images, but ${labelsPath} holds ${labelCount} labels; they must be of one data set.`
    throw new CandlewickError('DATA_MISMATCH', message)
  }
}

async function readDataset(
  imagesPath: string,
  images: IdxFile,
  labels: IdxFile,
  signal: AbortSignal | undefined,
): Promise<Dataset<ByteImages>> {
  const builder = startDataset(imagesPath, images.dimensions)
  for await (const piece of labels.pieces) {
    signal?.throwIfAborted()
    callAddon(() => builder.pushLabels(Uint16Array.from(piece)))
  }
  for await (const piece of images.pieces) {
    signal?.throwIfAborted()
    callAddon(() => builder.pushPixels(piece))
  }
  return datasetOf(callAddon(() => builder.finish()))
}

function startDataset(imagesPath: string, dimensions: number[]): DatasetBuilder {
  const [count, ...shape] = dimensions as [number, ...number[]]
  try {
    return newBuilder({ count, shape: shape.length === 3 ? shape : [1, ...shape] })
  } catch (cause) {
    if (!(cause instanceof CandlewickError && cause.code === 'OUT_OF_MEMORY')) throw cause
    const sizes = dimensions.join(' x ')
    const message = `${imagesPath} promises ${sizes} values, which do not fit into memory; is it the right file?`
    throw new CandlewickError('OUT_OF_MEMORY', message, { cause })
  }
}

async function requireFile(dir: string, names: readonly string[]): Promise<string> {
  const path = await findFile(dir, names)
  if (path) return path
  const isFolder = await stat(dir).then(
    (found) => found.isDirectory(),
    () => false,
  )
  const [name] = names
  const others = names.flatMap(candidates).slice(1).join(', ')
  const message = isFolder
    ? `There is no ${name}.gz (or ${others}) in ${dir}; put the four IDX files of the data set there.`
    : `There is no folder ${dir}; name one that holds ${name}.gz and the other IDX files of the data set.`
  throw new CandlewickError('DATA_NOT_FOUND', message)
}

function prefixed(prefix: string, names: readonly string[]): string[] {
  return names.map((name) => prefix + name)
}

/** Some unpackers leave out `.gz`, and some write a dot before `idx`. */
function candidates(name: string): string[] {
  const dotted = name.replace('-idx', '.idx')
  return [`${name}.gz`, name, `${dotted}.gz`, dotted]
}

/** The first file of these names; else the first that is there at all, which to open says what is wrong with it. */
async function findFile(dir: string, names: readonly string[]): Promise<string | undefined> {
  let other: string | undefined
  for (const candidate of names.flatMap(candidates)) {
    const path = join(dir, candidate)
    const found = await whatIsAt(path)
    if (found === 'file') return path
    if (found === 'other') other ??= path
  }
  return other
}

async function whatIsAt(path: string): Promise<'file' | 'other' | 'nothing'> {
  try {
    return (await stat(path)).isFile() ? 'file' : 'other'
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(codeOf(error)) ? 'nothing' : 'other'
  }
}
