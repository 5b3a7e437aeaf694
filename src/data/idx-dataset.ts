import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { callAddon, DatasetBuilder } from '../addon.js'
import { CandlewickError, codeOf } from '../errors.js'
import { expectOptions, expectPath, expectSignal } from '../expect.js'
import { Dataset } from './dataset.js'
import { corrupt, type IdxFile, openIdx } from './idx.js'

/** The names that MNIST gave its files and its relatives kept; see {@link candidates} for how unpackers changed them. */
const idxNames = {
  train: { images: 'train-images-idx3-ubyte', labels: 'train-labels-idx1-ubyte' },
  test: { images: 't10k-images-idx3-ubyte', labels: 't10k-labels-idx1-ubyte' },
} as const

/** Training and test images. */
export interface TrainAndTest {
  train: Dataset
  test: Dataset
}

/** Reads a folder of IDX files with MNIST's names, plain or in gzip: MNIST, Fashion-MNIST, KMNIST, ... */
export async function idxDataset(options: { dir: string; signal?: AbortSignal | undefined }): Promise<TrainAndTest> {
  const given = expectOptions<typeof options>('idxDataset', options, { dir: true, signal: true })
  const dir = expectPath('dir', given.dir)
  const signal = expectSignal(given.signal)
  signal?.throwIfAborted()
  const parts = [readPart(dir, 'train', signal), readPart(dir, 'test', signal)] as const
  await Promise.allSettled(parts) // so that nothing is being read any more when an error leaves
  return { train: await parts[0], test: await parts[1] }
}

/** The first of the four files that `dir` does not have, or undefined for a complete folder. */
export async function missingFile(dir: string): Promise<string | undefined> {
  for (const { images, labels } of Object.values(idxNames)) {
    for (const name of [images, labels]) {
      if (!(await findFile(dir, name))) return name
    }
  }
  return undefined
}

async function readPart(dir: string, part: keyof typeof idxNames, signal: AbortSignal | undefined): Promise<Dataset> {
  const [imagesPath, labelsPath] = await Promise.all([
    requireFile(dir, idxNames[part].images),
    requireFile(dir, idxNames[part].labels),
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
): Promise<Dataset> {
  const builder = startDataset(imagesPath, images.dimensions)
  for await (const piece of labels.pieces) {
    signal?.throwIfAborted()
    callAddon(() => builder.pushLabels(piece))
  }
  for await (const piece of images.pieces) {
    signal?.throwIfAborted()
    callAddon(() => builder.pushPixels(piece))
  }
  const dataset = callAddon(() => builder.finish())
  return new Dataset(dataset, 0, dataset.length)
}

function startDataset(imagesPath: string, dimensions: number[]): DatasetBuilder {
  const [count, ...shape] = dimensions as [number, ...number[]]
  const [channels, height, width] = (shape.length === 3 ? shape : [1, ...shape]) as [number, number, number]
  try {
    return callAddon(() => new DatasetBuilder(count, channels, height, width, 0))
  } catch (cause) {
    if (!(cause instanceof CandlewickError && cause.code === 'OUT_OF_MEMORY')) throw cause
    const sizes = dimensions.join(' x ')
    const message = `${imagesPath} promises ${sizes} values, which do not fit into memory; is it the right file?`
    throw new CandlewickError('OUT_OF_MEMORY', message, { cause })
  }
}

async function requireFile(dir: string, name: string): Promise<string> {
  const path = await findFile(dir, name)
  if (path) return path
  const isFolder = await stat(dir).then(
    (found) => found.isDirectory(),
    () => false,
  )
  const others = candidates(name).slice(1).join(', ')
  const message = isFolder
    ? `There is no ${name}.gz (or ${others}) in ${dir}; put the four IDX files of the data set there.`
    : `There is no folder ${dir}; name one that holds ${name}.gz and the other IDX files of the data set.`
  throw new CandlewickError('DATA_NOT_FOUND', message)
}

/** Some unpackers leave out `.gz`, and some write a dot before `idx`. */
function candidates(name: string): string[] {
  const dotted = name.replace('-idx', '.idx')
  return [`${name}.gz`, name, `${dotted}.gz`, dotted]
}

/** The first file of these names; else the first that is there at all, which to open says what is wrong with it. */
async function findFile(dir: string, name: string): Promise<string | undefined> {
  let other: string | undefined
  for (const candidate of candidates(name)) {
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
