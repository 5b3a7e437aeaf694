import test from 'ava'
import { arrayDataset, Dataset } from 'candlewick'
import { bytes } from '../idx-folder.js'

let dataset: Dataset
test.before(async () => {
  dataset = await arrayDataset({ images: { data: bytes(60), shape: [10, 1, 2, 3] }, labels: [...bytes(10)] })
})

const refused = (message: RegExp) => ({ code: 'INVALID_ARGUMENT', message })

test('a dataset gives back what it was given, whole and in parts', (t) => {
  t.deepEqual([dataset.length, dataset.imageShape], [10, [1, 2, 3]])
  t.deepEqual([...dataset.images().data], [...bytes(60)])
  t.deepEqual(dataset.images(3).shape, [7, 1, 2, 3])
  t.deepEqual([...dataset.images(3, 5).data], [...bytes(60).subarray(18, 30)])
  t.deepEqual([...dataset.labels(8)], [...bytes(10).subarray(8)])
  t.deepEqual([...dataset.slice(2).slice(1, 4).labels()], [...bytes(10).subarray(3, 6)])
  t.is(dataset.slice().length, 10)
  t.is(dataset.images(4, 4).data.length, 0)
})

test('ranges end at the ends of the dataset', (t) => {
  const slice = dataset.slice(2, 6)
  for (const read of [
    (start: number, end?: number) => slice.images(start, end),
    (start: number, end?: number) => slice.labels(start, end),
    (start: number, end?: number) => slice.slice(start, end),
  ]) {
    t.throws(() => read(-1), refused(/from 0 to 4 for start, .* -1/))
    t.throws(() => read(5), refused(/from 0 to 4 for start, .* 5/))
    t.throws(() => read(0, 5), refused(/from 0 to 4 for end, .* 5/))
    t.throws(() => read(3, 2), refused(/from 3 to 4 for end, .* 2/))
    t.throws(() => read(0.5), refused(/for start, .* 0\.5/))
    t.notThrows(() => read(4, 4))
  }
})

test('batches follow an order, whatever array it is in', (t) => {
  const slice = dataset.slice(2, 8)
  for (const order of [[5, 0, 0], Uint32Array.of(5, 0, 0), { length: 3, 0: 5, 1: 0, 2: 0 }]) {
    const batches = [...slice.batches({ batchSize: 2, order })]
    t.deepEqual(
      batches.map(({ labels }) => [...labels]),
      [[bytes(10)[7], bytes(10)[2]], [bytes(10)[2]]],
    )
    t.deepEqual(
      batches.map(({ images }) => images.shape),
      [
        [2, 1, 2, 3],
        [1, 1, 2, 3],
      ],
    )
    t.deepEqual([...(batches[0]?.images.data ?? [])], [...bytes(60).subarray(42, 48), ...bytes(60).subarray(12, 18)])
  }
  t.deepEqual([...slice.batches({ batchSize: 2, order: [] })], [])
  t.is([...slice.batches({ batchSize: 6 })].length, 1)
  t.is([...slice.batches({ batchSize: 100 })].length, 1)
})

const orders: [order: unknown, message: RegExp][] = [
  [[6], /from 0 to 5 for order\[0\], .* 6/],
  [[0, -1], /from 0 to 5 for order\[1\], .* -1/],
  [[0.5], /for order\[0\], .* 0\.5/],
  [['1'], /for order\[0\], .* "1"/],
  [5, /an array .* for order, .* 5/],
  [null, /for order, .* null/],
  [{ length: -1 }, /an array .* for order, .* length: -1/],
]

for (const [order, message] of orders) {
  test(`an order of ${JSON.stringify(order)} is refused`, (t) => {
    const batches = () => [...dataset.slice(2, 8).batches({ batchSize: 2, order: order as number[] })]
    t.throws(batches, refused(message))
  })
}

test('a proxy of a dataset, as some frameworks make, is named as what it is', (t) => {
  const proxy = new Proxy(dataset, {})
  for (const call of [
    () => proxy.images(),
    () => proxy.labels(),
    () => proxy.slice(),
    () => proxy.batches({ batchSize: 1 }),
    () => proxy.dispose(),
    () => proxy[Symbol.dispose](),
  ]) {
    t.throws(call, refused(/^Expected a Dataset, .* for dataset, but received a proxy; pass what it stands for/))
  }
  t.is(dataset.labels().length, 10, 'and is not disposed of')
})

test('a dataset is made of images of the addon alone', (t) => {
  const Unchecked = Dataset as unknown as new (native: unknown, start: number, length: number) => Dataset
  t.throws(() => new Unchecked({}, 0, 1), refused(/images of the addon, .* for native, but received \{\}\.$/))
})

test('an order that cannot be read is refused', (t) => {
  const order = new Proxy([0], {
    get() {
      throw new Error('mine')
    },
  })
  t.throws(() => dataset.batches({ batchSize: 2, order }), refused(/^order cannot be read: mine\.$/))
})

test('what batches takes is checked', (t) => {
  t.throws(() => [...dataset.batches({ batchSize: 0 })], refused(/at least 1 for batchSize, .* 0/))
  t.throws(
    () => [...dataset.batches({ batchSize: 1, shuffle: true } as { batchSize: number })],
    refused(/"shuffle" for batches; .*order/),
  )
})

const image = { data: new Uint8Array(12), shape: [2, 1, 2, 3] }
const unfit: [what: string, options: unknown, message: RegExp][] = [
  ['a label of 65,536', { images: image, labels: [0, 65_536] }, /from 0 to 65535 for labels\[1\], .* 65536/],
  ['a first label of 65,536', { images: image, labels: [65_536, 0] }, /from 0 to 65535 for labels\[0\], .* 65536/],
  ['a label too few', { images: image, labels: [0] }, /2 numbers, one for each image, for labels/],
  ['float64 images', { images: { ...image, data: new Float64Array(12) }, labels: [0, 1] }, /a Uint8Array.* for images/],
  ['a typo', { images: image, label: [0, 1] }, /"label" for arrayDataset; .*labels/],
]

for (const [what, options, message] of unfit) {
  test(`a dataset of arrays: ${what} is refused`, async (t) => {
    await t.throwsAsync(arrayDataset(options as Parameters<typeof arrayDataset>[0]), refused(message))
  })
}

test('labels are bytes where all of them fit, and numbers of 16 bits else, in every part', async (t) => {
  t.deepEqual((await arrayDataset({ images: image, labels: [0, 255] })).labels(), Uint8Array.of(0, 255))
  const wide = await arrayDataset({ images: image, labels: [7, 65_535] })
  t.deepEqual(wide.labels(), Uint16Array.of(7, 65_535))
  t.deepEqual(wide.slice(0, 1).labels(), Uint16Array.of(7))
  t.deepEqual([...wide.batches({ batchSize: 1 })][0]?.labels, Uint16Array.of(7))
  t.deepEqual(
    wide.split([0.5, 0.5], { stratify: false, seed: 1 }).map((part) => part.length),
    [1, 1],
  )
})

test('more pixels than are copied at a time all arrive', async (t) => {
  const data = bytes(3 * 1000 * 1000)
  const large = await arrayDataset({ images: { data, shape: [3, 1, 1000, 1000] }, labels: [0, 1, 2] })
  t.true(Buffer.from(large.images().data).equals(data))
})

test('an array that is given away while it is copied is refused', async (t) => {
  const data = bytes(3 * 1000 * 1000)
  const loading = arrayDataset({ images: { data, shape: [3, 1, 1000, 1000] }, labels: [0, 1, 2] })
  structuredClone(data, { transfer: [data.buffer as ArrayBuffer] })
  await t.throwsAsync(loading, refused(/an array that is left alone meanwhile for images\.data, .* of length 0/))
})
