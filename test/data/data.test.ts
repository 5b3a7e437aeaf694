import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { arrayDataset, fashionMnist, idxDataset } from 'candlewick'
import { findOrFetch } from '#dist/data/fashion-mnist.js'
import { openIdx } from '#dist/data/idx.js'
import { bytes, idx, idxFolder, temporaryFolder } from '../idx-folder.js'

const trainImages = 'train-images-idx3-ubyte.gz'
const trainLabels = 'train-labels-idx1-ubyte.gz'

test('Fashion-MNIST has its images and labels', async (t) => {
  const { train, test } = await fashionMnist()
  t.deepEqual([train.length, test.length, train.imageShape], [60_000, 10_000, [1, 28, 28]])
  t.deepEqual([...train.labels(0, 5)], [9, 0, 0, 3, 0])
  t.deepEqual([...test.labels(0, 5)], [9, 2, 1, 1, 6])
  const { data, shape } = train.images(0, 1)
  t.deepEqual(shape, [1, 1, 28, 28])
  // The sum of the first boot's pixels, as numpy reads them.
  t.is(
    data.reduce((sum, pixel) => sum + pixel, 0),
    76_247,
  )
})

test('a folder of IDX files is read, in gzip or plain', async (t) => {
  const { train, test } = await idxDataset({ dir: await idxFolder(t) })
  t.deepEqual([train.length, test.length, train.imageShape], [20, 10, [1, 2, 3]])
  t.deepEqual(train.images().data, bytes(120))
  t.deepEqual([...test.labels()], [0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
})

test('gzip is told by its content, and colour images have a size more', async (t) => {
  const plain = idx([20, 3, 1, 2], bytes(120))
  const { train, test } = await idxDataset({
    dir: await idxFolder(t, {
      [trainImages]: plain,
      't10k-images-idx3-ubyte': gzipSync(idx([10, 2, 3], bytes(60))),
    }),
  })
  t.deepEqual(
    [train.imageShape, test.imageShape],
    [
      [3, 1, 2],
      [1, 2, 3],
    ],
  )
  t.deepEqual(test.images().data, bytes(60))
})

test('a piece of values may end with the file, or be a single one', async (t) => {
  const { train } = await idxDataset({ dir: await idxFolder(t, fullPiece(262_128)) })
  t.is(train.images().data.length, 262_128)
  const one = { [trainImages]: idx([1, 1, 1], Uint8Array.of(7)), [trainLabels]: idx([1], Uint8Array.of(9)) }
  const single = (await idxDataset({ dir: await idxFolder(t, one) })).train
  t.deepEqual([[...single.images().data], [...single.labels()]], [[7], [9]])
})

test('slices and batches name the images that they hold', async (t) => {
  const { train } = await idxDataset({ dir: await idxFolder(t) })
  const slice = train.slice(4, 11)
  t.is(slice.length, 7)
  t.deepEqual(slice.images(1, 3).data, bytes(120).slice(30, 42))
  t.deepEqual(slice.slice(2, 3).labels(), train.labels(6, 7))
  const batches = [...slice.batches({ batchSize: 3 })]
  t.deepEqual(
    batches.map(({ images }) => images.shape[0]),
    [3, 3, 1],
  )
  const [first] = slice.batches({ batchSize: 2, order: [6, 0] })
  t.deepEqual(first?.images.data, Uint8Array.of(...bytes(120).slice(60, 66), ...bytes(120).slice(24, 30)))
  t.deepEqual(first?.labels, Uint8Array.of(1, 1))
  t.throws(() => slice.images(0, 8), { code: 'INVALID_ARGUMENT' })
  t.throws(() => [...slice.batches({ batchSize: 2, order: [7] })], { code: 'INVALID_ARGUMENT' })
  t.throws(() => [...slice.batches({ batchSize: 0 })], { code: 'INVALID_ARGUMENT', message: /batchSize.* 0/ })
})

test('a dataset can come from memory', async (t) => {
  const images = { data: bytes(2_500_000), shape: [2_500, 1, 20, 50] }
  const dataset = await arrayDataset({ images, labels: new Uint8Array(2_500).fill(7) })
  t.is(dataset.length, 2_500)
  t.deepEqual(dataset.images().data, images.data)
  t.is(dataset.labels()[2_499], 7)
  const three = { data: bytes(3), shape: [3, 1, 1, 1] }
  await t.throwsAsync(arrayDataset({ images: three, labels: [1, 2] }), {
    code: 'INVALID_ARGUMENT',
    message: /3 numbers/,
  })
  await t.throwsAsync(arrayDataset({ images: three, labels: [1, 2, 65_536] }), {
    code: 'INVALID_ARGUMENT',
    message: /65536/,
  })
  await t.throwsAsync(arrayDataset({ images: { data: bytes(4), shape: [3, 1, 1, 1] }, labels: [1, 2, 3] }), {
    code: 'INVALID_ARGUMENT',
    message: /3 values.*Uint8Array of length 4/,
  })
})

const gz = gzipSync(idx([20, 2, 3], bytes(120)))
const damaged = Buffer.from(gz)
damaged[damaged.length - 6] = (damaged[damaged.length - 6] as number) ^ 0xff

/** Four million values behind a header for fewer. Its end is damaged, which who stops in time does not see. */
function bomb(sizes: number[]): Buffer {
  const compressed = gzipSync(idx(sizes, Buffer.alloc(1 << 22)))
  compressed.fill(0xff, compressed.length - 8)
  return compressed
}

/** Header and promised values are what the decompression gives at once. */
function fullPiece(values: number) {
  const images = gzipSync(idx([16, 43, 381], new Uint8Array(values)))
  return { [trainImages]: images, [trainLabels]: idx([16], bytes(16)) }
}

/** A file that promises so many values more than 1032 for each of its bytes. */
function labelsInGzip(more: number) {
  const compressed = (count: number) => gzipSync(idx([count], bytes(20)), { level: 0 })
  return { [trainLabels]: compressed(1032 * compressed(0).length + more) }
}

for (const [what, changes, code, message] of [
  [
    'a missing file',
    { [trainLabels]: null },
    'DATA_NOT_FOUND',
    /no train-labels-idx1-ubyte\.gz \(or train-labels-idx1-ubyte, train-labels\.idx1-ubyte\.gz, train-labels\.idx1-ubyte\)/,
  ],
  ['a truncated gzip file', { [trainImages]: gz.subarray(0, gz.length - 9) }, 'DATA_CORRUPT', /cut short/],
  ['a damaged gzip file', { [trainImages]: damaged }, 'DATA_CORRUPT', /damaged/],
  ['an empty file', { [trainImages]: Buffer.alloc(0) }, 'DATA_CORRUPT', /ends after 0 bytes/],
  ['three bytes', { [trainImages]: Buffer.alloc(3) }, 'DATA_CORRUPT', /ends after 3 bytes, within its header/],
  ['a magic number alone', { [trainImages]: Buffer.from([0, 0, 13, 3]) }, 'DATA_CORRUPT', /0x00000d03/],
  ['half a mark of gzip', { [trainImages]: Buffer.from([0x1f, 0, 0, 0]) }, 'DATA_CORRUPT', /0x1f000000/],
  ['the other half', { [trainImages]: Buffer.from([0, 0x8b, 0, 0]) }, 'DATA_CORRUPT', /0x008b0000/],
  ['a cut header', { [trainImages]: idx([20, 2, 3], bytes(0)).subarray(0, 9) }, 'DATA_CORRUPT', /within its header/],
  [
    'a wrong magic number',
    { [trainImages]: idx([20, 2, 3], bytes(120), 0x0d03) },
    'DATA_CORRUPT',
    /0x00000d03.*0x00000803/,
  ],
  ['labels for images', { [trainImages]: idx([20], bytes(20)) }, 'DATA_CORRUPT', /0x00000801/],
  ['a count too large', { [trainImages]: idx([20, 2, 3], bytes(114)) }, 'DATA_CORRUPT', /20 x 2 x 3 = 120 .*only 114/],
  ['a count too small', { [trainImages]: idx([20, 2, 3], bytes(121)) }, 'DATA_CORRUPT', /more than 120/],
  ['too few labels', { [trainLabels]: idx([20], bytes(19)) }, 'DATA_CORRUPT', /20 = 20 values, but holds only 19/],
  ['labels of other images', { [trainLabels]: idx([19], bytes(19)) }, 'DATA_MISMATCH', /20 images.*19 labels/],
  ['a size of zero', { [trainImages]: idx([20, 0, 3], bytes(0)) }, 'DATA_CORRUPT', /images of 0 x 3 pixels/],
  [
    'an absurd size',
    { [trainImages]: idx([20, 2 ** 31, 2 ** 31], bytes(0)) },
    'DATA_CORRUPT',
    /20 x 2147483648 x 2147483648 = 92\d+ values, but holds only 0/,
  ],
  [
    'an absurd size in gzip',
    { [trainImages]: gzipSync(idx([20, 2 ** 20, 2 ** 20], bytes(120))) },
    'DATA_CORRUPT',
    /20 x 1048576 x 1048576 = .* values, more than a gzip file of \d+ bytes can hold/,
  ],
  ['more labels than promised', { [trainLabels]: bomb([20]) }, 'DATA_CORRUPT', /= 20 values, but holds more than 20/],
  ['a million labels for 20 images', { [trainLabels]: bomb([1 << 20]) }, 'DATA_MISMATCH', /20 images.*1048576 labels/],
  ['more pixels than promised', { [trainImages]: bomb([20, 2, 3]) }, 'DATA_CORRUPT', /holds more than 120/],
  ['a value beyond a full piece', fullPiece(262_129), 'DATA_CORRUPT', /= 262128 values, but holds more than 262128/],
  ['more labels than gzip can hold', labelsInGzip(1), 'DATA_CORRUPT', /more than a gzip file of \d+ bytes can hold/],
  ['as many labels as gzip can hold', labelsInGzip(0), 'DATA_MISMATCH', /20 images/],
  ['many pixels more than promised', { [trainImages]: bomb([20, 200, 200]) }, 'DATA_CORRUPT', /more than 800000/],
] as const) {
  test(`${what} is named`, async (t) => {
    const dir = await idxFolder(t, changes)
    const error = await t.throwsAsync(idxDataset({ dir }), { name: 'CandlewickError', code, message })
    if (code.startsWith('DATA')) t.true(error?.message.includes(dir))
  })
}

test('files with a dot in their names, as some unpackers write them, are read too', async (t) => {
  const dir = await idxFolder(t, { [trainImages]: null, [trainLabels]: null })
  await writeFile(join(dir, 'train-images.idx3-ubyte'), idx([20, 2, 3], bytes(120)))
  await writeFile(join(dir, 'train-labels.idx1-ubyte.gz'), gzipSync(idx([20], bytes(20))))
  // Some unpackers leave a folder of this name beside it.
  await mkdir(join(dir, 'train-images-idx3-ubyte'))
  const { train } = await idxDataset({ dir })
  t.deepEqual([train.images().data, train.labels()], [bytes(120), bytes(20)])
})

for (const [what, make, message] of [
  ['a folder', (path: string) => mkdir(path), /train-images-idx3-ubyte\.gz: it is a folder, not a file/],
  ['a pipe', async (path: string) => execFileSync('mkfifo', [path]), /it is a pipe or device, not a file/],
  ['an endless device', (path: string) => symlink('/dev/zero', path), /it is a pipe or device, not a file/],
  ['a link to itself', (path: string) => symlink(path, path), /Cannot read .*ELOOP/],
] as const) {
  test(`${what} in place of a file is refused`, async (t) => {
    const dir = await idxFolder(t, { [trainImages]: null })
    await make(join(dir, trainImages))
    await t.throwsAsync(idxDataset({ dir }), { name: 'CandlewickError', code: 'DATA_NOT_FOUND', message })
  })
}

// Only there can a file be that long, and as it is one hole, it takes no room.
const inMemory = existsSync('/dev/shm') ? test : test.skip

inMemory('what a file holds but memory does not is an error of its own', async (t) => {
  const dir = await mkdtemp('/dev/shm/candlewick-test-')
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const sizes = [2, 2 ** 25, 2 ** 25]
  await writeFile(join(dir, 'train-images-idx3-ubyte'), idx(sizes, bytes(0)))
  await truncate(join(dir, 'train-images-idx3-ubyte'), 16 + 2 ** 51)
  for (const name of ['train-labels-idx1-ubyte', 't10k-labels-idx1-ubyte'])
    await writeFile(join(dir, name), idx([2], bytes(2)))
  await writeFile(join(dir, 't10k-images-idx3-ubyte'), idx([2, 2, 3], bytes(12)))
  await t.throwsAsync(idxDataset({ dir }), {
    code: 'OUT_OF_MEMORY',
    message: /train-images.* 2 x 33554432 x 33554432 values/,
  })
})

test('a missing folder is named, and no other is taken instead', async (t) => {
  for (const load of [idxDataset, fashionMnist]) {
    await t.throwsAsync(load({ dir: '/nowhere' }), { code: 'DATA_NOT_FOUND', message: /no folder \/nowhere/ })
  }
})

test.serial('files that cannot be used are closed', async (t) => {
  const large = idx([20, 300, 300], bytes(1_800_000))
  const unusable = await Promise.all(
    [
      { [trainLabels]: idx([19], bytes(19)) },
      { [trainImages]: large, [trainLabels]: idx([19], bytes(19)) },
      { [trainImages]: gzipSync(large), [trainLabels]: gzipSync(idx([19], bytes(19))) },
      { [trainImages]: large, [trainLabels]: bomb([20]) },
      { [trainImages]: large, [trainLabels]: bomb([1 << 20]) },
      { [trainImages]: idx([20, 2, 3], bytes(121)) },
      { [trainImages]: idx([20, 0, 3], bytes(0)) },
      { [trainImages]: idx([20, 2 ** 31, 2 ** 31], bytes(0)) },
      { [trainImages]: gz.subarray(0, gz.length - 9) },
      { [trainImages]: idx([20], bytes(20)) },
      { [trainLabels]: Buffer.alloc(0) },
      { [trainImages]: null },
    ].map((changes) => idxFolder(t, changes)),
  )
  await mkdir(join(unusable.at(-1) as string, trainImages))
  for (const dir of unusable) {
    await t.throwsAsync(idxDataset({ dir }), { name: 'CandlewickError' })
    for (let wait = 0; wait < 20 && (await openIn(dir)) > 0; wait++) await sleep(10) // closing takes a turn
    t.is(await openIn(dir), 0)
  }
})

/** How many files in `dir` this process has open. */
async function openIn(dir: string): Promise<number> {
  const numbers = await readdir('/proc/self/fd')
  const paths = await Promise.all(numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')))
  return paths.filter((path) => path.startsWith(dir)).length
}

test('a signal is looked at before anything is read, and with each piece', async (t) => {
  const dir = await idxFolder(t)
  const reason = new Error('enough')
  for (const last of [1, 2, 3, 4, 5]) {
    let looks = 0
    const throwIfAborted = () => {
      if (++looks === last) throw reason
    }
    const signal = { aborted: false, addEventListener() {}, removeEventListener() {}, throwIfAborted }
    await t.throwsAsync(idxDataset({ dir, signal: signal as unknown as AbortSignal }), { is: reason }, `${last} looks`)
  }
})

test('a file in the place of the folder is no folder', async (t) => {
  const dir = join(await idxFolder(t), trainLabels)
  await t.throwsAsync(idxDataset({ dir }), {
    code: 'DATA_NOT_FOUND',
    message: /^There is no folder .*ubyte\.gz; name one/,
  })
})

test('of several that are no files, the first is named', async (t) => {
  const dir = await idxFolder(t, { [trainImages]: null })
  for (const name of [trainImages, 'train-images-idx3-ubyte']) await mkdir(join(dir, name))
  await t.throwsAsync(idxDataset({ dir }), { code: 'DATA_NOT_FOUND', message: /ubyte\.gz: it is a folder/ })
})

test('what cannot be read on is told from what is damaged', async (t) => {
  const dir = await idxFolder(t, { [trainImages]: idx([20, 300, 300], bytes(1_800_000)) })
  const file = await openIdx(join(dir, trainImages), [3])
  file.close()
  const read = async () => {
    for await (const _ of file.pieces);
  }
  await t.throwsAsync(read(), { code: 'DATA_NOT_FOUND', message: /^Cannot read .*ubyte\.gz: / })
})

test('where data lies is told by a string', async (t) => {
  for (const load of [idxDataset, fashionMnist] as ((options: { dir: unknown }) => Promise<unknown>)[]) {
    for (const dir of ['', 5, null]) {
      await t.throwsAsync(load({ dir }), {
        code: 'INVALID_ARGUMENT',
        message: /^Expected a string for dir, but received/,
      })
    }
  }
})

test('loading can be aborted', async (t) => {
  const reason = new Error('enough')
  await t.throwsAsync(fashionMnist({ signal: AbortSignal.abort(reason) }), { is: reason })
  await t.throwsAsync(idxDataset({ dir: '/nowhere', signal: AbortSignal.abort(reason) }), { is: reason })
  const controller = new AbortController()
  const loading = fashionMnist({ signal: controller.signal })
  setTimeout(() => controller.abort(reason), 20)
  await t.throwsAsync(loading, { is: reason })
})

/** Sets variables of the environment until the test is over; null removes one. */
function setEnvironment(t: ExecutionContext, variables: Record<string, string | null>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name]
    t.teardown(() => {
      if (before === undefined) delete process.env[name]
      else process.env[name] = before
    })
    if (value === null) delete process.env[name]
    else process.env[name] = value
  }
}

test.serial('a folder that the environment names is the only one, and an error says who named it', async (t) => {
  setEnvironment(t, { FASHION_MNIST_DIR: await idxFolder(t) })
  t.is((await fashionMnist()).train.length, 20)
  process.env.FASHION_MNIST_DIR = '/nowhere'
  await t.throwsAsync(fashionMnist(), { code: 'DATA_NOT_FOUND', message: /\/nowhere.*FASHION_MNIST_DIR/ })
})

test.serial('the cache folder is looked in first', async (t) => {
  const cache = await temporaryFolder(t)
  setEnvironment(t, { FASHION_MNIST_DIR: null, XDG_CACHE_HOME: cache, HOME: cache, LOCALAPPDATA: cache })
  const { dir } = await source(t)
  for (const base of [cache, join(cache, 'Library', 'Caches')]) {
    await cp(dir, join(base, 'candlewick', 'fashion-mnist'), { recursive: true })
  }
  t.is((await fashionMnist()).train.length, 20)
})

/** A data set of 2x3 images, and a server that has it and tells what was asked for. */
async function source(t: ExecutionContext) {
  const dir = await idxFolder(t)
  const names = await readdir(dir)
  const files = await Promise.all(
    names.map(async (name) => {
      const content = await readFile(join(dir, name))
      return { name, size: content.length, sha256: createHash('sha256').update(content).digest('hex') }
    }),
  )
  const asked: string[] = []
  const server = createServer(async ({ url = '' }, response) => {
    asked.push(url.slice(1))
    response.end(await readFile(join(dir, url)))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return { dir, asked, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, files }
}

test('without any folder, the data set is fetched into the cache', async (t) => {
  const { asked, ...remote } = await source(t)
  const cache = join(await temporaryFolder(t), 'cache')
  const load = () => findOrFetch({ cache, system: '/nowhere', source: remote })
  t.is((await load()).train.length, 20)
  t.deepEqual(asked.sort(), remote.files.map(({ name }) => name).sort())
  t.is((await load()).train.length, 20)
  t.is(asked.length, 4, 'once')
})

for (const [what, content] of [
  ['cut short', gz.subarray(0, 30)],
  ['of another data set', gzipSync(idx([19, 2, 3], bytes(114)))],
  ['empty', Buffer.alloc(0)],
] as const) {
  test(`a file in the cache that is ${what} is fetched again, and only that`, async (t) => {
    const { asked, dir, ...remote } = await source(t)
    const cache = await temporaryFolder(t)
    await cp(dir, cache, { recursive: true })
    await writeFile(join(cache, trainImages), content)
    const { train } = await findOrFetch({ cache, system: '/nowhere', source: remote })
    t.deepEqual(train.images().data, bytes(120))
    t.deepEqual(asked, [trainImages])
  })
}

test.serial('a damaged file in the cache is passed over for the system, with a warning, and stays', async (t) => {
  const { asked, dir, ...remote } = await source(t)
  const cache = await idxFolder(t, { [trainImages]: gz.subarray(0, 30) })
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  const { train } = await findOrFetch({ cache, system: dir, source: remote })
  t.is(train.length, 20)
  t.deepEqual(asked, [])
  const { message } = await warned
  t.true(message.includes(join(cache, trainImages)) && message.includes(`${dir} serves instead; delete`), message)
  t.deepEqual(await readFile(join(cache, trainImages)), gz.subarray(0, 30))
})

test.serial("without a cache, the system's folder serves, and nothing is said", async (t) => {
  const { asked, dir, ...remote } = await source(t)
  const warn = t.log
  process.once('warning', warn)
  const { train } = await findOrFetch({ cache: '/nowhere', system: dir, source: remote })
  await sleep(10) // warnings come a tick later
  t.is(train.length, 20)
  t.deepEqual([asked, process.listenerCount('warning', warn)], [[], 1])
  process.off('warning', warn)
})

test('a damaged file in the cache that cannot be fetched is named, with what to do', async (t) => {
  const { asked, dir, ...remote } = await source(t)
  const cache = await idxFolder(t, { [trainImages]: gz.subarray(0, 30) })
  const unreachable = { ...remote, baseUrl: 'http://127.0.0.1:1/' }
  const error = await t.throwsAsync(findOrFetch({ cache, system: '/nowhere', source: unreachable }), {
    code: 'DOWNLOAD_FAILED',
    message: /apt-get install .*cannot be used: .*cut short.* Delete the file\.$/,
  })
  t.true(error?.message.includes(join(cache, trainImages)))
  t.true(existsSync(join(cache, trainImages)))
})

test('an abort ends the search', async (t) => {
  const { asked, dir, ...remote } = await source(t)
  const reason = new Error('enough')
  const options = { cache: dir, system: dir, source: remote, signal: AbortSignal.abort(reason) }
  await t.throwsAsync(findOrFetch(options), { is: reason })
  await t.throwsAsync(findOrFetch({ ...options, cache: '/nowhere', system: '/nowhere' }), { is: reason })
  t.deepEqual(asked, [])
})
