/** What the command line names as data: a folder of pictures or of files of numbers, or a data set by its name. */

import { readdir, stat } from 'node:fs/promises'
import { cifar10, cifar100 } from '../data/cifar.js'
import type { Dataset } from '../data/dataset.js'
import { fashionMnist } from '../data/fashion-mnist.js'
import { idxDataset } from '../data/idx-dataset.js'
import { CandlewickError } from '../errors.js'
import { type ImageFolder, type ImageFolderOptions, imageFolder } from '../pictures/image-folder.js'
import { defaultSize } from '../pictures/preparation.js'
import { progressBar } from '../progress-bar.js'
import { integer, oneOf, option, UsageError, type Values } from './options.js'
import { dataFolder, type runOptions } from './shared-options.js'

/** What there is to train on, and to judge by. */
export interface Data {
  train: Dataset
  /** Images of their own, or a share of those to train on. */
  validation?: Dataset | number
  test?: Dataset
  /** Where it is a folder of pictures. */
  pictures?: Pick<ImageFolder, 'classes' | 'broken' | 'notes'>
}

/** The data set that goes by its name; all else are folders. */
const named = 'fashion-mnist'

/** How pictures become images. */
export const pictureOptions = {
  size: option(String(defaultSize), integer(1, 4096), 'rows and columns that pictures are resized to'),
  channels: option('3', channels, '3, or 1 for grey'),
  fit: option(
    'cover',
    oneOf(['cover', 'contain', 'stretch'] as const),
    'cover, contain or stretch: of pictures that are not square',
  ),
  cache: option(
    'memory',
    oneOf(['memory', 'disk'] as const),
    'memory or disk: where the images of a folder of pictures are kept',
  ),
}

type PictureValues = Partial<Values<typeof pictureOptions>>

/** Says what is loaded, and how far it is, on standard error. */
export async function loadPictures(
  dir: string,
  options: Omit<ImageFolderOptions, 'signal' | 'onProgress'>,
  signal: AbortSignal,
): Promise<ImageFolder> {
  const bar = progressBar(`reading ${dir}`, process.stderr)
  try {
    return await imageFolder(dir, {
      ...options,
      signal,
      onProgress: ({ pictures, total }) => bar.update(pictures, total),
    })
  } finally {
    bar.stop()
  }
}

/** What a folder holds, by its files' names. */
async function kindOf(name: string): Promise<'idx' | 'cifar-10' | 'cifar-100' | 'pictures'> {
  const found = await stat(name).catch((cause) => {
    const reason = cause.code === 'ENOENT' ? 'there is no such folder' : cause.message
    const message = `Cannot read data from ${name}: ${reason}; name a folder, or ${named}.`
    throw new CandlewickError('DATA_NOT_FOUND', message, { cause })
  })
  if (!found.isDirectory()) throw new UsageError(`Expected a folder of data, but ${name} is a file.`)
  const names = await readdir(name)
  if (names.some((file) => /-idx3-ubyte(\.gz)?$|\.idx3-ubyte(\.gz)?$/.test(file))) return 'idx'
  if (names.includes('data_batch_1.bin')) return 'cifar-10'
  return names.includes('train.bin') && names.includes('test.bin') ? 'cifar-100' : 'pictures'
}

/** Whether a folder of pictures goes by this name. */
export async function isOfPictures(name: string): Promise<boolean> {
  return name !== named && (await kindOf(name)) === 'pictures'
}

/** The data of that name, or Fashion-MNIST, or the folder of `--data`. */
export async function dataOf(
  name: string | undefined,
  options: PictureValues & Pick<Values<typeof runOptions>, 'data'>,
  signal: AbortSignal,
): Promise<Data> {
  if (name !== undefined && options.data !== undefined) {
    throw new UsageError(`Expected ${name} or --data ${options.data}, but received both.`)
  }
  if (name === undefined || name === named) return fashionMnist({ ...dataFolder(options), signal })
  const kind = await kindOf(name)
  if (kind === 'idx') return idxDataset({ dir: name, signal })
  if (kind === 'cifar-10') return cifar10({ dir: name, signal })
  if (kind === 'cifar-100') return cifar100({ dir: name, signal })
  const { train, validation, test, ...pictures } = await loadPictures(name, preparationOf(options), signal)
  return { train, ...(validation && { validation }), ...(test && { test }), pictures }
}

function preparationOf({ size, channels, fit, cache }: PictureValues): ImageFolderOptions {
  return {
    ...(size !== undefined && { size }),
    ...(channels !== undefined && { channels }),
    ...(fit !== undefined && { fit }),
    ...(cache !== undefined && { cache }),
  }
}

/** What was left out of a folder of pictures, a line each. */
export function remarks({ broken, notes }: Pick<ImageFolder, 'broken' | 'notes'>): string[] {
  const [first] = broken
  const others = broken.length > 1 ? ` and ${broken.length - 1} more` : ''
  const unreadable = first && `${first.path}${others} left out: ${first.reason}`
  return [...notes, unreadable].filter((line) => line !== undefined)
}

function channels(name: string, given: string): 1 | 3 {
  if (given === '1' || given === '3') return Number(given) as 1 | 3
  throw new UsageError(`Expected 1 or 3 for --${name}, but received "${given}".`)
}
