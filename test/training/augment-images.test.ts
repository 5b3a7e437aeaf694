/** Augmented images, as users look at them. */

import test from 'ava'
import {
  type Augmentation,
  arrayDataset,
  augmentImages,
  brightness,
  contrast,
  type Dataset,
  dense,
  type FitOptions,
  fit,
  mixup,
  randomCrop,
  randomErasing,
  randomFlip,
  randomRotation,
  randomShift,
  randomZoom,
  Sequential,
  sgd,
} from 'candlewick'

const [count, height, width] = [100, 6, 7]
const pixels = Uint8Array.from({ length: count * height * width }, (_, i) => (i * i * 7 + i * 3) % 256)
const images = { data: pixels, shape: [count, 1, height, width] }
const labels = Uint8Array.from({ length: count }, (_, i) => (i * i) % 3)

let data: Dataset

test.before(async () => {
  data = await arrayDataset({ images, labels })
})

const all = [
  randomFlip(),
  randomShift(1),
  randomCrop({ padding: 2 }),
  randomErasing({ probability: 0.9, fill: 'random' }),
  randomRotation(30),
  randomZoom(0.3),
  brightness(0.2),
  contrast(0.5),
]

async function trained(dataset: Dataset, changes: Partial<FitOptions>) {
  const net = new Sequential([dense({ units: 3 })])
  await net.initialize({ inputShape: [1, height, width], device: 'cpu', seed: 1 })
  const options = { batchSize: 16, optimizer: sgd({ learningRate: 0.1 }), shuffle: false, ...changes }
  for await (const _ of fit(net, dataset, { epochs: 1, ...options }));
  return net.parameters()
}

for (const augmentation of all) {
  test(`fit trains on what augmentImages shows: ${augmentation.kind}`, async (t) => {
    const shown = augmentImages(data, [augmentation], { seed: 5 })
    t.deepEqual(shown.shape, images.shape)
    t.notDeepEqual(shown.data, pixels)
    const expected = await trained(await arrayDataset({ images: shown, labels }), {})
    t.deepEqual(await trained(data, { seed: 5, augment: [augmentation] }), expected)
    t.notDeepEqual(await trained(data, {}), expected)
  })
}

test('each epoch and each seed has images of its own, and without a seed nobody knows which', (t) => {
  const shown = (options: { seed?: number; epoch?: number }) => augmentImages(data, all, options).data
  const first = shown({ seed: 5, epoch: 1 })
  t.deepEqual(shown({ seed: 5 }), first)
  t.notDeepEqual(shown({ seed: 5, epoch: 2 }), first)
  t.notDeepEqual(shown({ seed: 6 }), first)
  t.notDeepEqual(shown({}), shown({}))
  t.deepEqual(augmentImages(data, []).data, pixels)
  t.deepEqual(data.images().data, pixels, 'the dataset is as it was')
})

test('a part is a part of the whole, of a slice too', (t) => {
  const size = height * width
  const { data: whole } = augmentImages(data, all, { seed: 5 })
  const part = augmentImages(data, all, { seed: 5, start: 10, end: 13 })
  t.deepEqual(part.shape, [3, 1, height, width])
  t.deepEqual(part.data, whole.slice(10 * size, 13 * size))
  const ofSlice = augmentImages(data.slice(8, 40), all, { seed: 5, start: 2, end: 5 })
  t.deepEqual(ofSlice.data, part.data)
  t.is(augmentImages(data, all, { start: 100 }).data.length, 0)
})

test('mixed images are of two of the whole dataset, wherever they stand', (t) => {
  const size = height * width
  const mixing = [randomFlip(), mixup(1)]
  const { data: whole } = augmentImages(data, mixing, { seed: 5 })
  t.deepEqual(augmentImages(data, mixing, { seed: 5, start: 10, end: 13 }).data, whole.slice(10 * size, 13 * size))
  t.notDeepEqual(whole, augmentImages(data, [randomFlip()], { seed: 5 }).data)
})

/** Of so small an alpha, each image is one of the two, and has its label. */
test('fit trains on the images and labels that mixup shows', async (t) => {
  const noise = Uint8Array.from(pixels, (_, i) => Math.imul(i + 1, 2654435761) >>> 24)
  const plain = { data: noise, shape: images.shape }
  const dataset = await arrayDataset({ images: plain, labels })
  const shown = augmentImages(dataset, [mixup(1e-6)], { seed: 5 })
  const image = (data: Uint8Array, i: number) => data.slice(i * height * width, (i + 1) * height * width).join()
  const found = new Map(Array.from(labels, (label, i) => [image(noise, i), label]))
  t.is(found.size, count)
  const own = Uint8Array.from(labels, (_, i) => found.get(image(shown.data, i)) as number)
  t.notDeepEqual(own, labels)
  const expected = await trained(await arrayDataset({ images: shown, labels: own }), {})
  t.deepEqual(await trained(dataset, { seed: 5, augment: [mixup(1e-6)] }), expected)
})

test('arguments are checked', (t) => {
  const refused = (options: object, message: RegExp, augment: unknown = all) =>
    t.throws(() => augmentImages(data, augment as Augmentation[], options), { code: 'INVALID_ARGUMENT', message })
  refused({ epoch: 0 }, /at least 1 for epoch, but received 0/)
  refused({ seed: -1 }, /for seed, but received -1/)
  refused({ start: 101 }, /from 0 to 100 for start, but received 101/)
  refused({ end: 101 }, /from 0 to 100 for end, but received 101/)
  refused({ threads: 1 }, /^Unknown option "threads" for augmentImages; it takes seed, epoch, start, end\.$/)
  refused({}, /for augment, but received/, randomFlip())
  refused({}, /^randomShift moves .* of 6 rows and 7 columns; use at most 5\.$/, [randomShift(6)])
  t.throws(() => augmentImages([] as never, all), { code: 'INVALID_ARGUMENT', message: /for dataset/ })
})
