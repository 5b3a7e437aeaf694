import { readdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { arrayDataset, fashionMnist, idxDataset } from 'candlewick'
import { bytes, idx, idxFolder } from './idx-folder.js'

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
  await t.throwsAsync(arrayDataset({ images: three, labels: [1, 2, 256] }), {
    code: 'INVALID_ARGUMENT',
    message: /256/,
  })
  await t.throwsAsync(arrayDataset({ images: { data: bytes(4), shape: [3, 1, 1, 1] }, labels: [1, 2, 3] }), {
    code: 'INVALID_ARGUMENT',
    message: /3 values.*Uint8Array of length 4/,
  })
})

const gz = gzipSync(idx([20, 2, 3], bytes(120)))
const damaged = Buffer.from(gz)
damaged[damaged.length - 6] = (damaged[damaged.length - 6] as number) ^ 0xff

for (const [what, changes, code, message] of [
  ['a missing file', { [trainLabels]: null }, 'DATA_NOT_FOUND', /no train-labels-idx1-ubyte\.gz/],
  ['a truncated gzip file', { [trainImages]: gz.subarray(0, gz.length - 9) }, 'DATA_CORRUPT', /cut short/],
  ['a damaged gzip file', { [trainImages]: damaged }, 'DATA_CORRUPT', /damaged/],
  ['an empty file', { [trainImages]: Buffer.alloc(0) }, 'DATA_CORRUPT', /ends after 0 bytes/],
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
    /do not fit into memory/,
  ],
] as const) {
  test(`${what} is named`, async (t) => {
    const dir = await idxFolder(t, changes)
    const error = await t.throwsAsync(idxDataset({ dir }), { name: 'CandlewickError', code, message })
    if (code.startsWith('DATA')) t.true(error?.message.includes(dir))
  })
}

test('a missing folder is named, and no other is taken instead', async (t) => {
  for (const load of [idxDataset, fashionMnist]) {
    await t.throwsAsync(load({ dir: '/nowhere' }), { code: 'DATA_NOT_FOUND', message: /no folder \/nowhere/ })
  }
})

test.serial('files that cannot be used are closed', async (t) => {
  const unusable = await Promise.all(
    [
      { [trainLabels]: idx([19], bytes(19)) },
      { [trainImages]: idx([20, 2, 3], bytes(121)) },
      { [trainImages]: idx([20, 0, 3], bytes(0)) },
      { [trainImages]: idx([20, 2 ** 31, 2 ** 31], bytes(0)) },
      { [trainImages]: gz.subarray(0, gz.length - 9) },
      { [trainImages]: idx([20], bytes(20)) },
    ].map((changes) => idxFolder(t, changes)),
  )
  const failAll = async () => {
    for (const dir of unusable) await t.throwsAsync(idxDataset({ dir }), { name: 'CandlewickError' })
    await sleep(50) // closing takes a turn
    return (await readdir('/proc/self/fd')).length
  }
  const before = await failAll()
  for (let i = 0; i < 5; i++) await failAll()
  t.true((await failAll()) <= before + 4)
})

test('loading can be aborted', async (t) => {
  const reason = new Error('enough')
  await t.throwsAsync(fashionMnist({ signal: AbortSignal.abort(reason) }), { is: reason })
  const controller = new AbortController()
  const loading = fashionMnist({ signal: controller.signal })
  setTimeout(() => controller.abort(reason), 20)
  await t.throwsAsync(loading, { is: reason })
})

test.serial('a folder that the environment names is the only one, and an error says who named it', async (t) => {
  const before = process.env.FASHION_MNIST_DIR
  t.teardown(() => {
    if (before === undefined) delete process.env.FASHION_MNIST_DIR
    else process.env.FASHION_MNIST_DIR = before
  })
  process.env.FASHION_MNIST_DIR = await idxFolder(t)
  t.is((await fashionMnist()).train.length, 20)
  process.env.FASHION_MNIST_DIR = '/nowhere'
  await t.throwsAsync(fashionMnist(), { code: 'DATA_NOT_FOUND', message: /\/nowhere.*FASHION_MNIST_DIR/ })
})
