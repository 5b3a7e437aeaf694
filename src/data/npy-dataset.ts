import { setImmediate } from 'node:timers/promises'
import { callAddon, type DatasetBuilder } from '../addon.js'
import { CandlewickError } from '../errors.js'
import { expectOneOf, expectOptions, expectPath, expectSignal, expectString } from '../expect.js'
import { newBuilder, pushImages } from './building.js'
import { checkClasses, requireNames } from './classes.js'
import { type Dataset, datasetOf } from './dataset.js'
import { corrupt, inUnits } from './files.js'
import type { ByteImages, FloatImages } from './images.js'
import { type NpyArray, openNpy } from './npy.js'
import { channelsFirst, integersOf, pixelsOf } from './npy-values.js'

const layouts = ['channels-first', 'channels-last'] as const

/** Options of {@link npyDataset}. */
export interface NpyDatasetOptions {
  /** A .npz archive that holds both arrays. */
  file?: string | undefined
  /**
   * The array of the images: its name in `file` or else the path of a .npy file, or of an archive of one array. (n, height, width) or
   * four sizes; of bytes (uint8), which count as 0 to 1, or of float32 and float64, taken as they are.
   */
  images: string
  /** That of the labels, n integers from 0 to 65,535. */
  labels: string
  /** Where the channels of four sizes stand; may be left out where one alone of the two can be one of 1 or 3 channels. */
  layout?: (typeof layouts)[number] | undefined
  /** What each label stands for, from 0 on. */
  classes?: readonly string[] | undefined
  /** Ends the load, which then throws the signal's reason. */
  signal?: AbortSignal | undefined
}

/** Reads numpy's arrays, from .npy files or from a .npz archive as `np.savez` and Keras write them. */
export async function npyDataset(options: NpyDatasetOptions): Promise<Dataset<ByteImages | FloatImages>> {
  const keys = { file: true, images: true, labels: true, layout: true, classes: true, signal: true } as const
  const given = expectOptions<NpyDatasetOptions>('npyDataset', options, keys)
  const archive = given.file === undefined ? undefined : expectPath('file', given.file)
  const layout = given.layout === undefined ? undefined : expectOneOf('layout', layouts, given.layout)
  const [classes, signal] = [checkClasses(given.classes), expectSignal(given.signal)]
  const place = (name: 'images' | 'labels'): [path: string, name?: string] =>
    archive === undefined ? [expectPath(name, given[name])] : [archive, expectString(name, given[name])]
  const [imagesPlace, labelsPlace] = [place('images'), place('labels')]
  signal?.throwIfAborted()
  const images = await openNpy(...imagesPlace)
  try {
    const labels = await openNpy(...labelsPlace)
    try {
      const dataset = await read(images, labels, layout, signal)
      requireNames(classes, dataset.native.largestLabel)
      return datasetOf(dataset.native, { classes })
    } finally {
      await labels.close()
    }
  } finally {
    await images.close()
  }
}

async function read(
  images: NpyArray,
  labels: NpyArray,
  layout: NpyDatasetOptions['layout'],
  signal: AbortSignal | undefined,
): Promise<Dataset<ByteImages | FloatImages>> {
  const { shape, isLast } = arrangement(images, layout)
  const [count] = images.shape as [number]
  checkLabelArray(images, labels)
  const ofFloats = images.type.kind === 'float'
  const builder = newBuilder({ count, shape, ofFloats })
  await readLabels(builder, labels, signal)
  const [channels, height, width] = shape as [number, number, number]
  const unit = (isLast ? channels * height * width : 1) * images.type.size
  for await (const piece of inUnits(images.pieces, unit)) {
    signal?.throwIfAborted()
    const values = pixelsOf(piece, images.type)
    if (values) pushImages(builder, isLast ? channelsFirst(values, channels, height * width) : values)
    await setImmediate()
  }
  return datasetOf(callAddon(() => builder.finish()))
}

/** (channels, height, width), and whether the channels are to be put first. */
function arrangement(images: NpyArray, layout: NpyDatasetOptions['layout']) {
  const { name, shape, type, isFortran } = images
  if (isFortran) throw corrupt(name, "is in Fortran's order; save np.ascontiguousarray(images) instead")
  if (pixelsOf(new Uint8Array(0), type) === undefined) {
    const types = 'uint8, which count as 0 to 1, or float32 and float64; convert it by .astype'
    throw corrupt(name, `holds values of type ${type.name}, but images are of ${types}`)
  }
  const [, ...sizes] = shape
  if (sizes.length !== 2 && sizes.length !== 3) {
    throw corrupt(name, `has shape (${shape.join(', ')}), but images have (n, height, width) or four sizes`)
  }
  if (sizes.includes(0)) throw corrupt(name, `has shape (${shape.join(', ')}), and so no pixels`)
  if (sizes.length === 2) return { shape: [1, ...sizes], isLast: false }
  const [first, middle, last] = sizes as [number, number, number]
  const isLast = (layout ?? guess(images, first, last)) === 'channels-last'
  return { shape: isLast ? [last, first, middle] : sizes, isLast: isLast && last > 1 }
}

function guess({ name, shape }: NpyArray, first: number, last: number): (typeof layouts)[number] {
  const [canBeFirst, canBeLast] = [first, last].map((channels) => channels === 1 || channels === 3)
  if (canBeFirst !== canBeLast) return canBeLast ? 'channels-last' : 'channels-first'
  const message = `Images of shape (${shape.join(', ')}) in ${name} may have their channels first or last; say which by layout.`
  throw new CandlewickError('INVALID_ARGUMENT', message)
}

function checkLabelArray(images: NpyArray, { name, shape, type }: NpyArray): void {
  const [count, ...others] = shape
  if (count === undefined || others.some((size) => size !== 1)) {
    throw corrupt(name, `has shape (${shape.join(', ')}), but labels have (n), one number for each image`)
  }
  if (type.kind === 'float') throw corrupt(name, `holds values of type ${type.name}, but labels are integers`)
  if (count === images.shape[0]) return
  const message = `${images.name} holds ${images.shape[0]} images, but ${name} holds ${count} labels; they must be of one data set.`
  throw new CandlewickError('DATA_MISMATCH', message)
}

async function readLabels(builder: DatasetBuilder, labels: NpyArray, signal: AbortSignal | undefined): Promise<void> {
  let read = 0
  for await (const piece of inUnits(labels.pieces, labels.type.size)) {
    signal?.throwIfAborted()
    const values = integersOf(piece, labels.type) ?? []
    const wrong = values.findIndex((label) => label < 0 || label > 65_535)
    if (wrong >= 0) {
      throw corrupt(labels.name, `has label ${values[wrong]} for image ${read + wrong}, but labels go from 0 to 65535`)
    }
    callAddon(() => builder.pushLabels(Uint16Array.from(values)))
    read += values.length
    await setImmediate()
  }
}
