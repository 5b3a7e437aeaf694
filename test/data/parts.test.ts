/** What a dataset tells of itself, and what is made of it: names, counts, statistics, filters, joins, orders, maps. */

import test from 'ava'
import {
  arrayDataset,
  type Dataset,
  dense,
  evaluate,
  fashionMnist,
  fashionMnistLabels,
  fit,
  Sequential,
  sgd,
  step,
} from 'candlewick'
import { shuffledBeside, shuffler } from '#dist/random.js'

/** Images of one pixel, which is their number, with these labels. */
function numbered(labels: readonly number[], classes?: readonly string[]) {
  const data = Uint8Array.from(labels, (_, i) => i)
  return arrayDataset({ images: { data, shape: [labels.length, 1, 1, 1] }, labels, classes })
}

const numbers = (dataset: Dataset) => [...dataset.images().data]
const mismatch = (message: RegExp) => ({ name: 'CandlewickError', code: 'DATA_MISMATCH', message })
const invalid = (message: RegExp) => ({ name: 'CandlewickError', code: 'INVALID_ARGUMENT', message })

test('names of classes stay with what is made of a dataset', async (t) => {
  const names = ['a', 'b', 'c']
  const data = await numbered([0, 1, 2, 1], names)
  t.deepEqual(data.classes, names)
  t.not(data.classes, names)
  t.true(Object.isFrozen(data.classes))
  const [part] = data.split([0.5], { seed: 1 })
  const mapped = await data.map(({ images }) => images)
  const joined = await data.concat(await numbered([2]))
  for (const other of [data.slice(1), part, data.shuffle(1), data.filter(() => true), mapped, joined]) {
    t.deepEqual(other.classes, names)
  }
  t.is((await numbered([0])).classes, undefined)
  const { train, test } = await fashionMnist()
  t.deepEqual([train.classes, test.slice(3).classes], [fashionMnistLabels, fashionMnistLabels])
})

for (const [what, classes, message] of [
  ['too few', ['a', 'b'], /labels up to 2, but 2 names in classes; give 3/],
  ['twice the same', ['a', 'b', 'a'], /a name that no other class has for classes\[2\], .* "a"/],
  ['a number', ['a', 1, 'b'], /a name for classes\[1\], .* 1\./],
  ['an empty one', ['a', '', 'b'], /a name for classes\[1\], .* ""/],
  ['none', [], /an array of names, .* for classes, .* \[\]/],
  ['a string', 'abc', /an array of names, .* for classes, .* "abc"/],
] as const) {
  test(`names of classes: ${what} is refused`, async (t) => {
    await t.throwsAsync(numbered([0, 1, 2], classes as readonly string[]), invalid(message))
  })
}

test('images are counted by their labels', async (t) => {
  const data = await numbered([3, 0, 3, 3, 1])
  t.deepEqual(data.counts(), [1, 1, 0, 3])
  t.deepEqual(data.slice(1, 2).counts(), [1, 0, 0, 0], 'a part has as many classes as the whole')
  t.deepEqual((await numbered([0, 2], ['a', 'b', 'c', 'd'])).counts(), [1, 0, 1, 0])
  const wide = (await numbered([300, 0, 300])).counts()
  t.deepEqual([wide.length, wide[0], wide[300]], [301, 1, 2])
  const { test } = await fashionMnist()
  t.deepEqual(test.counts(), new Array(10).fill(1000))
  const images = { data: new Uint8Array(1), shape: [1, 1, 1, 1] }
  const regression = await arrayDataset({ images, targets: { data: new Float32Array(1), shape: [1, 1] } })
  t.throws(() => regression.counts(), mismatch(/targets alone/))
  t.throws(() => regression.filter(() => true), mismatch(/targets alone/))
})

test("Fashion-MNIST's mean and deviation are those that everybody knows", async (t) => {
  const { train } = await fashionMnist()
  const { mean, deviation } = await train.statistics()
  // As numpy has them: x.mean() / 255, x.std() / 255.
  t.true(Math.abs((mean[0] as number) - 0.2860405969887955) < 1e-12, `${mean}`)
  t.true(Math.abs((deviation[0] as number) - 0.35302424451492254) < 1e-12, `${deviation}`)
  t.deepEqual([mean.length, deviation.length], [1, 1])
})

test('statistics are of the images of a part, channel by channel', async (t) => {
  const data = Uint8Array.of(0, 255, 51, 51, 1, 2, 3, 4, 255, 0, 51, 51)
  const dataset = await arrayDataset({ images: { data, shape: [3, 2, 1, 2] }, labels: [0, 1, 0] })
  const outer = dataset.filter((label) => label === 0)
  t.deepEqual(await outer.statistics(), { mean: [0.5, 0.2], deviation: [0.5, 0] })
  t.deepEqual(await dataset.slice(1, 2).statistics(), {
    mean: [3 / 510, 7 / 510],
    deviation: [Math.sqrt(1) / 510, 1 / 510],
  })
  await t.throwsAsync(dataset.slice(1, 1).statistics(), invalid(/^No images have no mean/))
})

test('a filter keeps images by their labels and numbers, and copies nothing', async (t) => {
  const data = await numbered([3, 0, 3, 3, 1])
  const kept = data.filter((label) => label === 3)
  t.deepEqual([kept.length, numbers(kept), [...kept.labels()]], [3, [0, 2, 3], [3, 3, 3]])
  t.deepEqual(numbers(kept.filter((_, index) => index > 0)), [2, 3], 'numbers are those in the dataset')
  t.deepEqual(numbers(data.slice(1).filter((_, index) => index === 0)), [1])
  t.is(data.filter(() => false).length, 0)
  t.throws(
    () => data.filter((async () => true) as never),
    invalid(/true or false for what predicate says, .* a promise/),
  )
  t.throws(() => data.filter(3 as never), invalid(/a function of a label and a number for predicate, .* 3/))
  const mine = new Error('mine')
  const fail = () => {
    throw mine
  }
  t.throws(() => data.filter(fail), { is: mine })
  data.dispose()
  t.throws(() => kept.images(), { code: 'DISPOSED' })
})

test('datasets are put behind one another', async (t) => {
  const [one, other] = [await numbered([3, 0, 3]), await numbered([300, 1])]
  const joined = await one.slice(1).concat(other.shuffle(1))
  t.deepEqual(numbers(joined), [1, 2, ...numbers(other.shuffle(1))])
  t.deepEqual(joined.labels(), Uint16Array.of(0, 3, ...other.shuffle(1).labels()))
  one.dispose()
  t.is(joined.images().data[0], 1, 'what was copied is there still')
})

test('parts of what was loaded together are joined without a copy', async (t) => {
  const data = await numbered([3, 0, 3, 1])
  const joined = await data.slice(2).concat(data.slice(0, 1))
  t.deepEqual(
    [numbers(joined), [...joined.labels()]],
    [
      [2, 3, 0],
      [3, 1, 3],
    ],
  )
  data.dispose()
  t.throws(() => joined.images(), { code: 'DISPOSED' })
})

test('only what is alike is joined', async (t) => {
  const one = await numbered([0, 1], ['a', 'b'])
  const refused = async (other: Dataset, message: RegExp) => t.throwsAsync(one.concat(other), mismatch(message))
  await refused(await numbered([0], ['a', 'c']), /^The datasets' classes differ: "b" and "c" for label 1/)
  await refused(await numbered([0], ['a']), /classes differ: "b" and none for label 1/)
  const shaped = (shape: number[], data: Uint8Array | Float32Array) =>
    arrayDataset({ images: { data, shape }, labels: [0] })
  await refused(await shaped([1, 1, 1, 2], new Uint8Array(2)), /images differ: \(1, 1, 1\) and \(1, 1, 2\)/)
  await refused(await shaped([1, 1, 1, 1], new Float32Array(1)), /images differ: bytes and float32/)
  const images = { data: new Uint8Array(1), shape: [1, 1, 1, 1] }
  const targets = { data: new Float32Array(1), shape: [1, 1] }
  await refused(await arrayDataset({ images, targets }), /labels differ: labels and none/)
  await refused(await arrayDataset({ images, targets, labels: [0] }), /numbers of targets differ: 0 and 1/)
  await t.throwsAsync(one.concat(await numbered([2])), invalid(/labels up to 2, but 2 names/))
  await t.throwsAsync(one.concat(5 as never), invalid(/a Dataset, .* for other, .* 5/))
})

test('a shuffle has every image once, in an order that follows from the seed', async (t) => {
  const data = await numbered(Array.from({ length: 40 }, (_, i) => i % 7))
  const shuffled = data.slice(10).shuffle(3)
  t.deepEqual(
    numbers(shuffled).toSorted((a, b) => a - b),
    numbers(data.slice(10)),
  )
  t.deepEqual(
    [...shuffled.labels()],
    numbers(shuffled).map((number) => number % 7),
  )
  t.deepEqual(numbers(data.slice(10).shuffle(3)), numbers(shuffled))
  t.notDeepEqual(numbers(data.slice(10).shuffle(4)), numbers(shuffled))
  // Recorded, so that an order can be had again with the next version.
  t.deepEqual(numbers(data.slice(0, 8).shuffle(3)), [1, 5, 2, 4, 3, 6, 0, 7])
  const unseeded = Array.from({ length: 3 }, () => numbers(data.shuffle()).join())
  t.is(new Set(unseeded).size, 3)
  t.throws(() => data.shuffle(-1), invalid(/for seed, .* -1/))
})

test('a shuffle follows neither the orders of a training nor of a split with its seed', async (t) => {
  const own = shuffledBeside(9, 1000, 'shuffle')
  for (const other of [await shuffler(9)(1000, 0), shuffledBeside(9, 1000)]) {
    const same = own.filter((image, i) => image === other[i])
    t.true(same.length < 10, `${same.length} of 1000 in the same place`)
  }
})

test('a function makes other images of a dataset, batch by batch', async (t) => {
  const data = await numbered([5, 300, 2, 1, 0])
  const sizes: number[] = []
  const doubled = await data.slice(1).map(
    async ({ images, labels }) => {
      sizes.push(labels.length)
      const twice = Uint8Array.from(
        { length: 2 * images.data.length },
        (_, i) => 10 * (images.data[i >> 1] as number) + (i & 1),
      )
      images.data.fill(0) // they are the function's own
      labels.fill(9)
      return { data: twice, shape: [labels.length, 1, 1, 2] }
    },
    { batchSize: 3 },
  )
  t.deepEqual(sizes, [3, 1])
  t.deepEqual([doubled.length, doubled.imageShape, numbers(doubled)], [4, [1, 1, 2], [10, 11, 20, 21, 30, 31, 40, 41]])
  t.deepEqual(doubled.labels(), Uint16Array.of(300, 2, 1, 0))
  t.deepEqual(numbers(data), [0, 1, 2, 3, 4])
})

test('a function may make float32 of bytes; targets stay', async (t) => {
  const images = { data: Uint8Array.of(0, 51, 255), shape: [3, 1, 1, 1] }
  const targets = { data: Float32Array.of(1, 2, 3), shape: [3, 1] }
  const data = await arrayDataset({ images, targets })
  const halves = await data.map(({ images: { data, shape } }) => ({
    data: Float32Array.from(data, (x) => x / 2),
    shape,
  }))
  t.deepEqual(halves.images(), { data: Float32Array.of(0, 25.5, 127.5), shape: [3, 1, 1, 1] })
  t.deepEqual(halves.targets().data, targets.data)
})

test('what a map cannot use is refused', async (t) => {
  const data = await numbered([0, 1, 2])
  const of = (made: unknown) => data.map(() => made as never, { batchSize: 2 })
  const pixels = (...shape: number[]) => ({ data: new Uint8Array(shape.reduce((a, b) => a * b)), shape })
  await t.throwsAsync(of(pixels(3, 1, 1, 1)), mismatch(/made 3 images of 2; give back as many/))
  await t.throwsAsync(of(undefined), invalid(/for images.data, .* undefined/))
  const changing = data.map(({ labels }) => pixels(labels.length, 1, 1, labels.length), { batchSize: 2 })
  await t.throwsAsync(changing, mismatch(/bytes of shape \[1, 1, 1\] after images of bytes of shape \[1, 1, 2\]/))
  await t.throwsAsync(
    data.slice(1, 1).map(({ images }) => images),
    invalid(/no images to map/),
  )
  await t.throwsAsync(data.map(3 as never), invalid(/a function of a batch for map, .* 3/))
  await t.throwsAsync(
    data.map(({ images }) => images, { batchSize: 0 }),
    invalid(/for batchSize, .* 0/),
  )
  const mine = new Error('mine')
  await t.throwsAsync(
    data.map(async () => Promise.reject(mine)),
    { is: mine },
  )
  const controller = new AbortController()
  const aborted = data.map(
    ({ images }) => {
      controller.abort(mine)
      return images
    },
    { signal: controller.signal, batchSize: 1 },
  )
  await t.throwsAsync(aborted, { is: mine })
})

/** Images of four values from -1 to 1, of two classes that a line tells apart. */
async function floats(count: number) {
  const data = Float32Array.from({ length: 4 * count }, (_, i) => Math.sin(i * i) + ((i >> 2) % 2 ? 0.5 : -0.5))
  return arrayDataset({
    images: { data, shape: [count, 1, 2, 2] },
    labels: Uint8Array.from({ length: count }, (_, i) => i % 2),
  })
}

test('a dataset of float32 keeps values as they are, and trains, evaluates and is counted as others', async (t) => {
  const data = await floats(200)
  const { data: values, shape } = data.images(3, 5)
  t.true(values instanceof Float32Array)
  t.deepEqual([shape, values[0]], [[2, 1, 2, 2], Math.fround(Math.sin(144) + 0.5)])
  const [train, kept] = data.split([0.8, 0.2], { stratify: true, seed: 1 })
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1 })
  for await (const { loss } of fit(net, train, {
    epochs: 20,
    batchSize: 16,
    optimizer: sgd({ learningRate: 0.3 }),
    seed: 1,
  }))
    t.true(loss < 1)
  const { accuracy } = await evaluate(net, kept)
  t.true(accuracy > 0.8, `${accuracy}`)
  const { mean, deviation } = await train.statistics()
  const all = [...train.images().data]
  const expected = all.reduce((sum, x) => sum + x, 0) / all.length
  const square = all.reduce((sum, x) => sum + (x - expected) ** 2, 0) / all.length
  t.true(Math.abs((mean[0] as number) - expected) < 1e-12)
  t.true(Math.abs((deviation[0] as number) - Math.sqrt(square)) < 1e-12)
})

test('an epoch of one batch of float32 is a step of it', async (t) => {
  const data = await floats(16)
  const nets = [1, 2].map(() => new Sequential([dense({ units: 2 })]))
  const [one, other] = nets as [Sequential, Sequential]
  for (const net of nets) await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1 })
  const optimizer = sgd({ learningRate: 0.3 })
  for await (const _ of fit(one, data, { epochs: 1, batchSize: 16, optimizer, shuffle: false }));
  await step(other, data.images(), data.labels(), optimizer)
  t.deepEqual(await one.parameters(), await other.parameters())
})

test('float32 is not augmented', async (t) => {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu' })
  const options = {
    epochs: 1,
    batchSize: 4,
    optimizer: sgd({ learningRate: 0.1 }),
    augment: [{ kind: 'randomFlip' } as const],
  }
  const training = fit(net, await floats(8), options).next()
  await t.throwsAsync(
    training,
    mismatch(/^The dataset's images are float32, and augmentations change images of bytes; leave/),
  )
})
