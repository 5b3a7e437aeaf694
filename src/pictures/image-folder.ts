import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { callAddon, type PictureFolder, scanPictures } from '../addon.js'
import { cacheFolder } from '../data/cache-folder.js'
import { checkClasses } from '../data/classes.js'
import { type Dataset, datasetOf } from '../data/dataset.js'
import type { ByteImages } from '../data/images.js'
import { CandlewickError } from '../errors.js'
import {
  expectOneOf,
  expectOptions,
  expectPath,
  expectShare,
  expectSignal,
  type Unchecked,
  unexpected,
} from '../expect.js'
import { expectSeed } from '../random.js'
import { checkPreparation, forAddon, type PreparationOptions, preparationKeys } from './preparation.js'
import { type PicturesDone, picturesWork } from './work.js'

/** Options of {@link imageFolder}. */
export interface ImageFolderOptions extends PreparationOptions {
  /** A share of the pictures to train on, such as 0.2, of each class alike, that becomes `validation`, where the folder has none. */
  validation?: number
  /** 0 to 2³² - 1, and 0 by default: decides which pictures those are. */
  seed?: number
  /**
   * The classes, in the order of their labels, such as `net.classes`, where the folder's own are not to decide: there need not be
   * pictures of each, but of no other.
   */
  classes?: readonly string[]
  /** What becomes of a picture that cannot be read: it is left out and named in `broken` (`'skip'`), or the load fails (`'fail'`). */
  onError?: 'skip' | 'fail'
  /**
   * Where the images are kept: in memory, or in a file (`'disk'`) from which the system reads what is looked at, for more images than
   * memory holds. The file is used again for as long as no picture changes.
   */
  cache?: 'memory' | 'disk'
  /** The folder of such files; the user's cache folder by default. */
  cacheDir?: string
  /** Ends the load, which then throws the signal's reason. */
  signal?: AbortSignal | undefined
  /** Called about ten times a second; what it throws ends the load. */
  onProgress?: (done: PicturesDone) => void
}

/** A picture that cannot be used, and why. */
export interface BrokenPicture {
  /** Where it is. */
  path: string
  /** A sentence. */
  reason: string
}

/** A folder's pictures as datasets. */
export interface ImageFolder {
  /** Those to train on. */
  train: Dataset<ByteImages>
  /** Where the folder has them, or a share was asked for. */
  validation?: Dataset<ByteImages>
  /** Where the folder has them. */
  test?: Dataset<ByteImages>
  /** Names by label. */
  classes: readonly string[]
  /** The pictures that were left out. */
  broken: BrokenPicture[]
  /** What else was left out, in sentences. */
  notes: string[]
}

const keys = {
  ...preparationKeys,
  validation: true,
  seed: true,
  classes: true,
  onError: true,
  cache: true,
  cacheDir: true,
  signal: true,
  onProgress: true,
} as const

/**
 * Reads a folder of pictures: JPEG, PNG, WebP, BMP and GIF (its first frame). The folders in it are the classes, by their sorted names,
 * and all pictures in and below one are of that class; folders `train`, `validation` and `test` at the top, with the classes in each,
 * become datasets of their own. Pictures are decoded off the event loop, on all processors, and look as a viewer shows them:
 * turned as their EXIF data says, what shines through on a background. Colour profiles are not applied.
 */
export async function imageFolder(dir: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  const path = expectPath('dir', dir)
  const settings = checkOptions(expectOptions<ImageFolderOptions>('imageFolder', options, keys))
  const { signal } = settings
  const folder = await picturesWork(
    (progress) => scanPictures(path, settings.classes && [...settings.classes], progress),
    { signal },
  )
  const { splits, classes } = folder
  if (settings.validation !== undefined && splits.includes('validation')) {
    const message = `${path} has pictures to validate by, so no share of the others can be; leave out validation.`
    throw new CandlewickError('INVALID_ARGUMENT', message)
  }
  const broken: BrokenPicture[] = []
  const loaded: Record<string, Dataset<ByteImages>> = {}
  for (const [split, name] of splits.entries()) loaded[name] = await loadSplit(path, folder, split, settings, broken)
  const train = loaded.train as Dataset<ByteImages>
  const notes = notesOf(path, folder)
  const { validation } = settings
  if (validation === undefined) return { ...loaded, train, classes, broken, notes }
  const parts = train.split([1 - validation, validation], { stratify: true, seed: settings.seed })
  return { ...loaded, train: parts[0], validation: parts[1], classes, broken, notes }
}

type Settings = ReturnType<typeof checkOptions>

function checkOptions(given: Unchecked<ImageFolderOptions>) {
  const { validation, seed = 0, onError = 'skip', cache = 'memory', cacheDir, onProgress } = given
  if (validation !== undefined && expectShare('validation', validation) * (1 - (validation as number)) === 0) {
    throw unexpected('validation', 'a share above 0 and below 1, such as 0.2,', validation)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw unexpected('onProgress', 'a function', onProgress)
  const isOnDisk = expectOneOf('cache', ['memory', 'disk'], cache) === 'disk'
  const folder = cacheDir === undefined ? join(cacheFolder(), 'pictures') : expectPath('cacheDir', cacheDir)
  return {
    preparation: checkPreparation(given),
    validation: validation as number | undefined,
    seed: expectSeed(seed),
    classes: checkClasses(given.classes),
    fails: expectOneOf('onError', ['skip', 'fail'], onError) === 'fail',
    cacheDir: isOnDisk ? folder : undefined,
    signal: expectSignal(given.signal),
    onProgress: onProgress as ImageFolderOptions['onProgress'],
  }
}

async function loadSplit(
  dir: string,
  folder: PictureFolder,
  split: number,
  settings: Settings,
  broken: BrokenPicture[],
): Promise<Dataset<ByteImages>> {
  const { preparation, fails, cacheDir, signal, onProgress } = settings
  const { classes } = folder
  const counts = callAddon(() => folder.counts(split))
  const total = counts.reduce((sum, count) => sum + count, 0)
  const loaded = await picturesWork(
    (progress) => folder.load(split, forAddon(preparation), fails, cacheDir, progress),
    {
      signal,
      total,
      onProgress,
    },
  )
  const failed = loaded.broken
  for (const { number, reason } of failed) broken.push({ path: callAddon(() => folder.path(split, number)), reason })
  const { fit, background } = preparation
  const all = datasetOf<ByteImages>(
    callAddon(() => loaded.dataset()),
    { classes, pictures: { fit, background } },
  )
  await setImmediate()
  const isBroken = new Set(failed.map(({ number }) => number))
  const whole = isBroken.size === 0 ? all : all.filter((_, index) => !isBroken.has(index))
  if (folder.splits[split] === 'train' && !settings.classes) requireAll(dir, classes, whole, broken)
  return whole
}

/** That no class has lost all its pictures. */
function requireAll(dir: string, classes: readonly string[], train: Dataset, broken: readonly BrokenPicture[]): void {
  const empty = train.counts().indexOf(0)
  if (empty < 0) return
  const { path, reason } = broken[0] as BrokenPicture
  const message = `None of the pictures of the class ${classes[empty]} of ${dir} can be read (${path}: ${reason}); put others there.`
  throw new CandlewickError('DATA_CORRUPT', message)
}

/** What was left out that is no broken picture. */
function notesOf(dir: string, { loose, unread }: PictureFolder): string[] {
  const notes: string[] = []
  if (loose > 0) notes.push(`${loose} pictures stand beside the folders in ${dir}, and belong to no class`)
  if (unread.length > 0) notes.push(`${unread.join(', ')} in ${dir} are of formats that are not read`)
  return notes
}
