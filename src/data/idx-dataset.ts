import { access, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DatasetBuilder } from '../../index.js'
import { CandlewickError, native } from '../errors.js'
import { expectOptions, expectSignal, expectString } from '../expect.js'
import { Dataset } from './dataset.js'
import { corrupt, openIdx } from './idx.js'

/** The names that MNIST gave its files and its relatives kept; `.gz` may follow. */
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
  expectOptions('idxDataset', options, ['dir', 'signal'])
  const dir = expectString('dir', options.dir)
  const signal = expectSignal(options.signal)
  signal?.throwIfAborted()
  const [train, test] = await Promise.all([readPart(dir, 'train', signal), readPart(dir, 'test', signal)])
  return { train, test }
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
  const labels = await readLabels(labelsPath)
  const images = await openIdx(imagesPath, [3, 4])
  try {
    const builder = startDataset(imagesPath, images.dimensions, labelsPath, labels)
    for await (const piece of images.pieces) {
      signal?.throwIfAborted()
      native(() => builder.pushPixels(piece))
    }
    return new Dataset(
      native(() => builder.finish()),
      0,
      labels.length,
    )
  } finally {
    images.close()
  }
}

/** A dataset that has its labels and awaits its images. */
function startDataset(imagesPath: string, dimensions: number[], labelsPath: string, labels: Buffer): DatasetBuilder {
  const [count, ...shape] = dimensions as [number, ...number[]]
  const [channels, height, width] = (shape.length === 3 ? shape : [1, ...shape]) as [number, number, number]
  if (shape.includes(0))
    throw corrupt(imagesPath, `promises images of ${shape.join(' x ')} pixels; is it the right file?`)
  if (count !== labels.length) {
    const message = `${imagesPath} holds ${count} images, but ${labelsPath} holds ${labels.length} labels; they must be of one data set.`
    throw new CandlewickError('DATA_MISMATCH', message)
  }
  try {
    const builder = new DatasetBuilder(count, channels, height, width)
    builder.pushLabels(labels)
    return builder
  } catch (error) {
    const sizes = dimensions.join(' x ')
    throw corrupt(imagesPath, `promises ${sizes} values, which do not fit into memory; is it the right file?`, error)
  }
}

async function readLabels(path: string): Promise<Buffer> {
  const file = await openIdx(path, [1])
  try {
    const labels: Buffer[] = []
    for await (const piece of file.pieces) labels.push(piece)
    return Buffer.concat(labels)
  } finally {
    file.close()
  }
}

async function requireFile(dir: string, name: string): Promise<string> {
  const path = await findFile(dir, name)
  if (path) return path
  const isFolder = await stat(dir).then(
    (found) => found.isDirectory(),
    () => false,
  )
  const message = isFolder
    ? `There is no ${name}.gz (or ${name}) in ${dir}; put the four IDX files of the data set there.`
    : `There is no folder ${dir}; name one that holds ${name}.gz and the other IDX files of the data set.`
  throw new CandlewickError('DATA_NOT_FOUND', message)
}

async function findFile(dir: string, name: string): Promise<string | undefined> {
  for (const path of [join(dir, `${name}.gz`), join(dir, name)]) {
    if (await isThere(path)) return path
  }
  return undefined
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
