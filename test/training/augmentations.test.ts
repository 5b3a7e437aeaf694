/** What augmentations make of training images, and what they leave alone. */

import test from 'ava'
import {
  type Augmentation,
  arrayDataset,
  brightness,
  contrast,
  type Dataset,
  dense,
  type Epoch,
  evaluate,
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

const [count, height, width] = [200, 3, 4]
const pixels = Uint8Array.from({ length: count * height * width }, (_, i) => (i * i * 7 + i * 3) % 256)
const images = { data: pixels, shape: [count, 1, height, width] }
const labels = Uint8Array.from({ length: count }, (_, i) => (pixels[i * height * width] as number) % 3)

let data: Dataset

test.before(async () => {
  data = await arrayDataset({ images, labels })
})

async function network(seed = 1, changes: { threads?: number; engine?: 'candle' } = {}): Promise<Sequential> {
  const net = new Sequential([dense({ units: 3 })])
  await net.initialize({ inputShape: [1, height, width], device: 'cpu', seed, ...changes })
  return net
}

const augment = [randomFlip(), randomShift(1)]
const mixing = [...augment, mixup(0.4)]

async function epochs(net: Sequential, train: Dataset, changes: Partial<FitOptions> = {}): Promise<Epoch[]> {
  const all: Epoch[] = []
  const optimizer = sgd({ learningRate: 0.1 })
  for await (const epoch of fit(net, train, { epochs: 1, batchSize: 16, optimizer, augment, ...changes }))
    all.push(epoch)
  return all
}

/** The parameters of a new network after a fit. */
async function trained(changes: Partial<FitOptions>, seed = 1, place: { threads?: number } = {}) {
  const net = await network(seed, place)
  await epochs(net, data, changes)
  return net.parameters()
}

/** An image as the first unit's step on it alone shows it: weights change by its pixels times what the bias changes by. */
async function* seen(image: Uint8Array, times: number): AsyncGenerator<number[], void, void> {
  const single = await arrayDataset({ images: { data: image, shape: [1, 1, height, width] }, labels: [0] })
  const net = await network()
  const unit = async () => {
    const { 'dense0.weight': weight, 'dense0.bias': bias } = await net.parameters()
    return { weights: weight?.data.slice(0, image.length) ?? [], bias: bias?.data[0] ?? Number.NaN }
  }
  let before = await unit()
  const options = { epochs: times, batchSize: 1, optimizer: sgd({ learningRate: 0.02 }), augment }
  for await (const _ of fit(net, single, options)) {
    const after = await unit()
    const change = after.bias - before.bias
    yield Array.from(after.weights, (weight, i) => ((weight - (before.weights[i] ?? 0)) / change) * 255)
    before = after
  }
}

/** An image mirrored or not and then moved, pixel by pixel. */
function changed(image: Uint8Array, isMirrored: boolean, down: number, right: number): number[] {
  return Array.from(image, (_, at) => {
    const [row, column] = [Math.floor(at / width) - down, (at % width) - right]
    if (row < 0 || row >= height || column < 0 || column >= width) return 0
    return image[row * width + (isMirrored ? width - 1 - column : column)] ?? Number.NaN
  })
}

test('an image is mirrored or not and moved by up to a pixel, anew in each epoch', async (t) => {
  const image = Uint8Array.from({ length: height * width }, (_, i) => 40 + 17 * i)
  const ways = [false, true].flatMap((isMirrored) =>
    [-1, 0, 1].flatMap((down) => [-1, 0, 1].map((right) => changed(image, isMirrored, down, right))),
  )
  const found = new Map<number, number>()
  for await (const shown of seen(image, 120)) {
    const near = (way: number[]) => way.every((pixel, i) => Math.abs(pixel - (shown[i] as number)) < 2)
    const way = ways.findIndex(near)
    t.true(way >= 0, shown.join())
    found.set(way, (found.get(way) ?? 0) + 1)
  }
  t.true(found.size >= 15, 'of 18 ways')
  const mirrored = [...found].reduce((sum, [way, times]) => sum + (way >= 9 ? times : 0), 0)
  t.true(mirrored > 40 && mirrored < 80, `${mirrored} of 120`)
})

test('one seed is one training, of any number of threads, and another seed another', async (t) => {
  for (const changes of [{}, { shuffle: false }, { augment: mixing }]) {
    const expected = await trained({ seed: 9, epochs: 2, ...changes })
    t.deepEqual(await trained({ seed: 9, epochs: 2, ...changes }), expected)
    t.deepEqual(await trained({ seed: 9, epochs: 2, ...changes }, 1, { threads: 1 }), expected)
    t.deepEqual(await trained({ seed: 9, epochs: 2, ...changes }, 1, { threads: 3 }), expected)
    t.notDeepEqual(await trained({ seed: 10, epochs: 2, ...changes }), expected)
  }
})

test("without a seed, the network's decides, and no epoch of it comes twice", async (t) => {
  const shuffle = false
  const still = { shuffle, optimizer: sgd({ learningRate: 0 }) }
  const net = await network()
  const losses = [...(await epochs(net, data, { ...still, epochs: 2 })), ...(await epochs(net, data, still))].map(
    ({ loss }) => loss,
  )
  t.is(new Set(losses).size, 3)
  const [again] = await epochs(net, data, { ...still, seed: net.seed })
  t.is(again?.loss, losses[0], 'a seed begins with its first epoch')
  const between = await network()
  await epochs(between, data, still)
  await epochs(between, data, { ...still, seed: 9 })
  await epochs(between, data, { ...still, augment: [] })
  const [second] = await epochs(between, data, still)
  t.is(second?.loss, losses[1], 'a seed of its own and epochs as they are leave the number alone')
  t.notDeepEqual(await trained({ shuffle }, 2), await trained({ shuffle }, 1))
  await net.initialize({ inputShape: [1, height, width], device: 'cpu', seed: 1, forceReinit: true })
  t.is((await epochs(net, data, still))[0]?.loss, losses[0], 'a network that is initialized again begins again')
})

test('the orders of the images are those without augmentation', async (t) => {
  const plain = await trained({ augment: [], epochs: 2 })
  t.deepEqual(await trained({ augment: [randomShift(0)], epochs: 2 }), plain)
  t.notDeepEqual(await trained({ epochs: 2 }), plain)
})

test('neither the batch size nor the order changes what is made of an image', async (t) => {
  const loss = async (changes: Partial<FitOptions>) => {
    const [epoch] = await epochs(await network(), data, { seed: 4, optimizer: sgd({ learningRate: 0 }), ...changes })
    return epoch?.loss ?? Number.NaN
  }
  for (const list of [augment, mixing]) {
    const expected = await loss({ augment: list })
    for (const changes of [{ batchSize: 7 }, { batchSize: 200 }, { shuffle: false }]) {
      const found = await loss({ augment: list, ...changes })
      t.true(Math.abs(found - expected) < 1e-6, `${found} and ${expected}`)
    }
    t.true(Math.abs((await loss({ augment: [] })) - expected) > 1e-4)
  }
})

test('each engine trains on the same images', async (t) => {
  for (const list of [augment, mixing]) {
    const nets = [await network(), await network(1, { engine: 'candle' })]
    const of = async (net: Sequential) => (await epochs(net, data, { augment: list }))[0]
    const [fused, candle] = await Promise.all(nets.map(of))
    t.true(Math.abs((fused?.loss ?? 0) - (candle?.loss ?? 1)) < 1e-6, `${fused?.loss} and ${candle?.loss}`)
    t.is(fused?.trainAcc, candle?.trainAcc)
  }
})

test('what is evaluated is not augmented', async (t) => {
  const net = await network()
  for await (const epoch of fit(net, data, {
    epochs: 3,
    batchSize: 16,
    optimizer: sgd({ learningRate: 0.1 }),
    augment,
    test: data,
  })) {
    const { loss, accuracy } = await evaluate(net, data)
    t.deepEqual([epoch.testLoss, epoch.testAcc], [loss, accuracy])
  }
  t.deepEqual(data.images(), images, 'and the dataset is as it was')
})

test('a part of a dataset and its targets are augmented as the whole', async (t) => {
  const targets = { data: Float32Array.from(labels), shape: [count, 1] as const }
  const both = await arrayDataset({ images, targets })
  const still = { seed: 2, optimizer: sgd({ learningRate: 0 }), loss: { kind: 'meanSquaredError' }, epochs: 1 } as const
  const net = new Sequential([dense({ units: 1 })])
  await net.initialize({ inputShape: [1, height, width], device: 'cpu', seed: 1 })
  const loss = async (part: Dataset) => (await epochs(net, part, still))[0]?.loss ?? Number.NaN
  const [whole, first, second] = [await loss(both), await loss(both.slice(0, 50)), await loss(both.slice(50))]
  t.true(Math.abs((50 * first + 150 * second) / 200 - whole) < 1e-5 * whole, `${first}, ${second} and ${whole}`)
})

test('a label that does not fit is named by its image', async (t) => {
  const odd = await arrayDataset({ images, labels: labels.map((label, i) => (i === 77 ? 5 : label)) })
  const expected = { code: 'LABEL_OUT_OF_RANGE', message: /^Image 77 has label 5/ }
  await t.throwsAsync(epochs(await network(), odd), expected)
})

test('augmentations are plain values, which may be made by hand', async (t) => {
  t.deepEqual(augment, [{ kind: 'randomFlip' }, { kind: 'randomShift', pixels: 1 }])
  const byHand: Augmentation[] = [{ kind: 'randomFlip' }, { kind: 'randomShift', pixels: 1 }]
  t.deepEqual(await trained({ augment: byHand }), await trained({}))
  t.notDeepEqual(await trained({ augment: augment.toReversed() }), await trained({}), 'their order counts')
})

/** One of each kind that takes settings, and the same by hand. */
const pairs: [Augmentation, Augmentation][] = [
  [randomCrop({ padding: 1 }), { kind: 'randomCrop', padding: 1 }],
  [randomErasing({ probability: 1, fill: 'random' }), { kind: 'randomErasing', probability: 1, fill: 'random' }],
  [
    randomErasing({ area: [0.3, 0.5], aspect: [1, 1] }),
    { kind: 'randomErasing', probability: 0.5, area: [0.3, 0.5], aspect: [1, 1], fill: 0 },
  ],
  [randomRotation(20), { kind: 'randomRotation', degrees: 20 }],
  [randomZoom(0.5), { kind: 'randomZoom', amount: 0.5 }],
  [brightness(1), { kind: 'brightness', amount: 1 }],
  [contrast(1), { kind: 'contrast', amount: 1 }],
  [mixup(0.4), { kind: 'mixup', alpha: 0.4 }],
]

for (const [made, byHand] of pairs) {
  test(`${JSON.stringify(byHand)} changes images, and is the same by hand`, async (t) => {
    const found = await trained({ augment: [made] })
    t.deepEqual(await trained({ augment: [byHand] }), found)
    t.notDeepEqual(await trained({ augment: [] }), found)
  })
}

test('a crop is a shift', async (t) => {
  t.deepEqual(await trained({ augment: [randomCrop({ padding: 2 })] }), await trained({ augment: [randomShift(2)] }))
})

test("what is left out of an erasing is torchvision's", (t) => {
  const usual = { kind: 'randomErasing', probability: 0.5, area: [0.02, 0.33], aspect: [0.3, 3.3], fill: 0 }
  t.deepEqual(randomErasing() as object, usual)
  t.deepEqual(randomErasing({ fill: 255 }) as object, { ...usual, fill: 255 })
})

test('settings that make no sense are named', (t) => {
  const refused = (make: () => unknown, message: RegExp) => t.throws(make, { code: 'INVALID_ARGUMENT', message })
  const erasing = (options: object) => () => randomErasing(options)
  refused(() => randomCrop({ padding: -1 }), /at least 0 for padding, but received -1\.$/)
  refused(() => randomCrop(2 as never), /^Expected an object of options for randomCrop, but received 2\.$/)
  refused(
    erasing({ share: 1 }),
    /^Unknown option "share" for randomErasing; it takes probability, area, aspect, fill\.$/,
  )
  refused(erasing({ probability: 1.5 }), /^Expected a number from 0 to 1 for probability, but received 1\.5\.$/)
  refused(erasing({ area: 0.5 }), /^Expected a pair, the least and the most, for area, but received 0\.5\.$/)
  refused(erasing({ area: [0.5] }), /^Expected a pair, .* for area/)
  refused(erasing({ area: [0.1, 1.1] }), /^Expected a number from 0 to 1 for area\[1\], but received 1\.1\.$/)
  refused(
    erasing({ area: [0.5, 0.1] }),
    /^Expected the least before the most for area, but received \[ 0\.5, 0\.1 \]\.$/,
  )
  refused(erasing({ aspect: [0, 1] }), /above 0 for aspect\[0\], but received 0\.$/)
  refused(erasing({ aspect: [1, Number.POSITIVE_INFINITY] }), /for aspect\[1\], but received Infinity/)
  refused(erasing({ fill: 256 }), /from 0 to 255 for fill, but received 256\.$/)
  refused(
    erasing({ fill: 'noise' }),
    /^Expected an integer from 0 to 255 or "random" for fill, but received "noise"\.$/,
  )
  for (const degrees of [-1, 181, Number.NaN, '90']) {
    refused(() => randomRotation(degrees as number), /^Expected a number from 0 to 180 for degrees, but received/)
  }
  for (const amount of [-0.1, 1, Number.NaN]) {
    refused(() => randomZoom(amount), /^Expected a finite number from 0 to below 1 for amount, but received/)
  }
  for (const make of [brightness, contrast]) {
    for (const amount of [-0.1, 1.1, Number.NaN]) {
      refused(() => make(amount), /^Expected a number from 0 to 1 for amount, but received/)
    }
  }
})

test('images that are kept out of a training are not mixed into it', async (t) => {
  // Of the images that are trained on, all are black.
  const halves = { data: pixels.map((pixel, i) => (i < pixels.length / 2 ? 0 : pixel)), shape: images.shape }
  const black = (await arrayDataset({ images: halves, labels })).slice(0, 100)
  const [mixed, plain] = [await trainedOn(black, [mixup(1)]), await trainedOn(black, [])]
  t.deepEqual(mixed['dense0.weight']?.data, plain['dense0.weight']?.data)
  t.notDeepEqual(mixed['dense0.bias']?.data, plain['dense0.bias']?.data)
})

async function trainedOn(part: Dataset, augment: Augmentation[]) {
  const net = await network()
  await epochs(net, part, { augment })
  return net.parameters()
}

test('what is no augmentation is refused by name', async (t) => {
  const net = await network()
  const refused = async (augment: unknown, message: RegExp) =>
    t.throwsAsync(epochs(net, data, { augment } as never), { code: 'INVALID_ARGUMENT', message })
  await refused(
    randomFlip(),
    /^Expected an array of augmentations, such as \[randomFlip\(\)\], for augment, but received/,
  )
  await refused(null, /for augment, but received null\.$/)
  await refused(
    [randomFlip(), 'randomShift'],
    /such as randomFlip\(\), for augment\[1\], but received "randomShift"\.$/,
  )
  await refused([{ kind: 'toString' }], /for augment\[0\]/)
  await refused([undefined], /for augment\[0\], but received undefined/)
  await refused(Array(1), /for augment\[0\], but received undefined/)
  await refused([{ kind: 'randomFlip', pixels: 1 }], /^Unknown option "pixels" for augment\[0\]; it takes kind\.$/)
  await refused([{ kind: 'randomShift' }], /^Expected an integer of at least 0 for pixels, but received undefined\.$/)
  await refused([{ kind: 'randomShift', pixels: 0.5 }], /for pixels, but received 0\.5\.$/)
  await refused([randomShift(3)], /^randomShift moves .* images of 3 rows and 4 columns; use at most 2\.$/)
  await refused(
    [randomCrop({ padding: 3 })],
    /^randomCrop with a padding of 3 .* 3 rows and 4 columns; use at most 2\.$/,
  )
  const twice = /^Expected mixup once, and nothing after it, for augment, but received \[ 'mixup', '\w+' \]\.$/
  await refused([mixup(1), randomFlip()], twice)
  await refused([mixup(1), mixup(1)], twice)
  for (const alpha of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '0.2']) {
    t.throws(() => mixup(alpha as number), {
      code: 'INVALID_ARGUMENT',
      message: /^Expected .* for alpha, but received/,
    })
  }
  for (const pixels of [-1, 1.5, '1', undefined, 2 ** 31]) {
    t.throws(() => randomShift(pixels as number), { code: 'INVALID_ARGUMENT', message: /for pixels, but received/ })
  }
  t.is((await epochs(net, data)).length, 1, 'the network is free again')
})
