import { join } from 'node:path'
import process from 'node:process'
import { CandlewickError } from '../errors.js'
import { expectOptions, expectPath, expectSignal } from '../expect.js'
import { progressBar } from '../progress-bar.js'
import { cacheFolder } from './cache-folder.js'
import { download, type OnBytes, type RemoteFile } from './download.js'
import { idxDataset, missingFile, named, type TrainAndTest } from './idx-dataset.js'

/** What the labels 0 to 9 stand for. */
export const fashionMnistLabels: readonly string[] = Object.freeze([
  't-shirt',
  'trouser',
  'pullover',
  'dress',
  'coat',
  'sandal',
  'shirt',
  'sneaker',
  'bag',
  'ankle boot',
])

/** Where the files are, and what they are. */
export interface Source {
  baseUrl: string
  files: readonly RemoteFile[]
}

/** The data set's official home, as its repository (zalandoresearch/fashion-mnist) names it. */
const official: Source = {
  baseUrl: 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
  files: [
    {
      name: 'train-images-idx3-ubyte.gz',
      size: 26_421_880,
      sha256: '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84',
    },
    {
      name: 'train-labels-idx1-ubyte.gz',
      size: 29_515,
      sha256: 'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845',
    },
    {
      name: 't10k-images-idx3-ubyte.gz',
      size: 4_422_102,
      sha256: '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073',
    },
    {
      name: 't10k-labels-idx1-ubyte.gz',
      size: 5_148,
      sha256: '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5',
    },
  ],
}

const debianFolder = '/usr/share/datasets/fashion-mnist'

/**
 * Fashion-MNIST: 60,000 training and 10,000 test images (1, 28, 28) of ten kinds of clothing.
 *
 * Looks in `dir`, or else in `$FASHION_MNIST_DIR`, and takes no other folder if one of them is given. Else looks in the
 * user's cache folder and where Debian's package `dataset-fashion-mnist` puts it, and at last downloads it (31 MB) into the
 * cache folder, with a progress bar where standard error is a terminal. A damaged file in the cache folder is passed over, with
 * a warning, if Debian's folder serves instead; else it is downloaded again.
 */
export async function fashionMnist(options: { dir?: string; signal?: AbortSignal } = {}): Promise<TrainAndTest> {
  const given = expectOptions<typeof options>('fashionMnist', options, { dir: true, signal: true })
  const signal = expectSignal(given.signal)
  if (given.dir !== undefined) return withNames(await idxDataset({ dir: expectPath('dir', given.dir), signal }))
  const { FASHION_MNIST_DIR: dir } = process.env
  if (!dir) return withNames(await findOrFetch({ signal }))
  const data = await idxDataset({ dir, signal }).catch((error) => {
    throw withAdvice(error, '(FASHION_MNIST_DIR names this folder.)')
  })
  return withNames(data)
}

/** The names are Fashion-MNIST's; another data set with more classes lies in that folder without them. */
function withNames({ train, test }: TrainAndTest): TrainAndTest {
  const fits = ({ native }: TrainAndTest['train']) => native.largestLabel < fashionMnistLabels.length
  return fits(train) && fits(test)
    ? { train: named(train, fashionMnistLabels), test: named(test, fashionMnistLabels) }
    : { train, test }
}

/** Reads the first of the cache folder and the system's that can be read, or fetches into the cache folder and reads that. */
export async function findOrFetch(
  options: { signal?: AbortSignal | undefined; cache?: string; system?: string; source?: Source } = {},
): Promise<TrainAndTest> {
  const { signal, cache = ownFolder(), system = debianFolder, source = official } = options
  let damage: CandlewickError | undefined
  for (const dir of [cache, system]) {
    if ((await missingFile(dir)) !== undefined) continue
    try {
      const data = await idxDataset({ dir, signal })
      if (damage) process.emitWarning(`${damage.message} ${dir} serves instead; delete the file.`, 'CandlewickWarning')
      return data
    } catch (error) {
      if (!(error instanceof CandlewickError && error.code.startsWith('DATA_'))) throw error
      damage ??= error
    }
  }
  try {
    await fetchFashionMnist({ signal, dir: cache, source })
    return await idxDataset({ dir: cache, signal })
  } catch (error) {
    throw withAdvice(error, damage && `What is there already cannot be used: ${damage.message} Delete the file.`)
  }
}

/** The folder that the environment names, or that of the usual ones which has Fashion-MNIST, if one does. */
export async function findFashionMnist(): Promise<string | undefined> {
  if (process.env.FASHION_MNIST_DIR) return process.env.FASHION_MNIST_DIR
  for (const dir of [ownFolder(), debianFolder]) {
    if ((await missingFile(dir)) === undefined) return dir
  }
  return undefined
}

/** Downloads Fashion-MNIST into the cache folder, but the files that are there whole, and returns the folder. */
export async function fetchFashionMnist(
  options: { signal?: AbortSignal | undefined; dir?: string; source?: Source } = {},
): Promise<string> {
  const { signal, dir = ownFolder(), source = official } = options
  const bar = progressBar('downloading Fashion-MNIST', process.stderr)
  const onBytes: OnBytes = (done, total) => bar.update(done, total)
  try {
    await download(source.baseUrl, source.files, dir, { onBytes, signal })
  } catch (error) {
    const elsewhere = `elsewhere, put the four files of ${source.baseUrl} into ${dir}.`
    throw withAdvice(error, `On Debian or Ubuntu, apt-get install dataset-fashion-mnist; ${elsewhere}`)
  } finally {
    bar.stop()
  }
  return dir
}

function withAdvice(error: unknown, advice: string | undefined): unknown {
  if (!(error instanceof CandlewickError) || advice === undefined) return error
  return new CandlewickError(error.code, `${error.message} ${advice}`, { cause: error })
}

function ownFolder(): string {
  return join(cacheFolder(), 'fashion-mnist')
}
