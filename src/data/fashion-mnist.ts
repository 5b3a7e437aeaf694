import { homedir } from 'node:os'
import { join } from 'node:path'
import { CandlewickError } from '../errors.js'
import { expectOptions, expectSignal, expectString } from '../expect.js'
import { progressBar } from '../progress-bar.js'
import { download, type OnBytes, type RemoteFile } from './download.js'
import { idxDataset, missingFile, type TrainAndTest } from './idx-dataset.js'

/** What the labels 0 to 9 stand for. */
export const fashionMnistLabels: readonly string[] = [
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
]

/** The data set's official home, as its repository (zalandoresearch/fashion-mnist) names it. */
const home = 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/'

const files: readonly RemoteFile[] = [
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
]

const debianFolder = '/usr/share/datasets/fashion-mnist'

/**
 * Fashion-MNIST: 60,000 training and 10,000 test images (1, 28, 28) of ten kinds of clothing.
 *
 * Looks in `dir`, or else in `$FASHION_MNIST_DIR`, and takes no other folder if one of them is given. Else looks in the
 * user's cache folder and where Debian's package `dataset-fashion-mnist` puts it, and at last downloads it (31 MB) into the
 * cache folder, with a progress bar where standard error is a terminal.
 */
export async function fashionMnist(options: { dir?: string; signal?: AbortSignal } = {}): Promise<TrainAndTest> {
  expectOptions('fashionMnist', options, ['dir', 'signal'])
  const signal = expectSignal(options.signal)
  if (options.dir !== undefined) return idxDataset({ dir: expectString('dir', options.dir), signal })
  const dir = (await findFashionMnist()) ?? (await fetchFashionMnist({ signal }))
  return idxDataset({ dir, signal }).catch((error) => {
    if (!(error instanceof CandlewickError) || dir !== process.env.FASHION_MNIST_DIR) throw error
    throw new CandlewickError(error.code, `${error.message} (FASHION_MNIST_DIR names this folder.)`, { cause: error })
  })
}

/** The folder that the environment names, or that of the usual ones which has Fashion-MNIST, if one does. */
export async function findFashionMnist(): Promise<string | undefined> {
  if (process.env.FASHION_MNIST_DIR) return process.env.FASHION_MNIST_DIR
  for (const dir of [cacheFolder(), debianFolder]) {
    if ((await missingFile(dir)) === undefined) return dir
  }
  return undefined
}

/** Downloads Fashion-MNIST into the cache folder and returns that. */
export async function fetchFashionMnist(
  options: { signal?: AbortSignal | undefined; baseUrl?: string } = {},
): Promise<string> {
  const dir = cacheFolder()
  const bar = progressBar('downloading Fashion-MNIST', process.stderr)
  const onBytes: OnBytes = (done, total) => bar.update(done, total)
  try {
    await download(options.baseUrl ?? home, files, dir, { onBytes, signal: options.signal })
  } catch (cause) {
    if (!(cause instanceof CandlewickError)) throw cause
    const advice = `On Debian or Ubuntu, apt-get install dataset-fashion-mnist; elsewhere, put the four files of ${home} into ${dir}.`
    throw new CandlewickError(cause.code, `${cause.message} ${advice}`, { cause })
  } finally {
    bar.stop()
  }
  return dir
}

function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  const base =
    XDG_CACHE_HOME ||
    (process.platform === 'win32' && LOCALAPPDATA) ||
    join(homedir(), process.platform === 'darwin' ? 'Library/Caches' : '.cache')
  return join(base, 'candlewick', 'fashion-mnist')
}
