/** Datasets that are split: every image in one part, classes by their shares, the same for the same seed; and no image copied. */

import test from 'ava'
import { arrayDataset, Dataset } from 'candlewick'
import { shuffledBeside, shuffler } from '#dist/random.js'

/** Images of one pixel, which is their number, with these labels. */
function numbered(labels: readonly number[]): Promise<Dataset> {
  const data = Uint8Array.from(labels, (_, i) => i)
  return arrayDataset({ images: { data, shape: [labels.length, 1, 1, 1] }, labels })
}

const numbers = (dataset: Dataset) => [...dataset.images().data]

/** How many images of each class. */
function counts(dataset: Dataset, classes: number): number[] {
  const labels = [...dataset.labels()]
  return Array.from({ length: classes }, (_, label) => labels.filter((own) => own === label).length)
}

/** So many labels of each class, mixed. */
function labelsOf(...counts: number[]): number[] {
  const all = counts.flatMap((count, label) => new Array<number>(count).fill(label))
  return all.map((_, i) => all[(i * 7) % all.length] as number)
}

test('each image comes into one part, in an order that follows from the seed', async (t) => {
  const data = await numbered(labelsOf(10, 10, 10))
  const [train, val] = data.split([0.8, 0.2], { seed: 3 })
  t.deepEqual([train.length, val.length], [24, 6])
  const all = [...numbers(train), ...numbers(val)]
  t.deepEqual(
    all.toSorted((a, b) => a - b),
    numbers(data),
  )
  t.notDeepEqual(all, numbers(data))
  // Recorded, so that a split can be repeated with the next version.
  t.deepEqual(numbers(val), [13, 29, 26, 21, 1, 17])
  t.deepEqual(data.split([0.8, 0.2], { seed: 3 }).map(numbers), [train, val].map(numbers))
  t.notDeepEqual(numbers(data.split([0.8, 0.2], { seed: 4 })[1]), numbers(val))
})

test('without a seed, each split is another', async (t) => {
  const data = await numbered(labelsOf(100))
  const splits = Array.from({ length: 3 }, () => numbers(data.split([0.5])[0]).join())
  t.is(new Set(splits).size, 3)
})

test('a part is a dataset as others are', async (t) => {
  const data = await numbered(labelsOf(8, 8))
  const [part] = data.slice(2, 14).split([0.5], { seed: 1 })
  const own = numbers(part)
  t.true(own.every((number) => number >= 2 && number < 14))
  t.deepEqual(part.images(1, 3), { data: Uint8Array.from(own.slice(1, 3)), shape: [2, 1, 1, 1] })
  const labels = own.map((number) => data.labels()[number])
  t.deepEqual([...part.labels()], labels)
  t.deepEqual(numbers(part.slice(2, 5)), own.slice(2, 5))
  t.deepEqual([...part.slice(1).slice(2).labels(0, 2)], labels.slice(3, 5))
  const batches = [...part.batches({ batchSize: 4 })].map(({ images }) => [...images.data])
  t.deepEqual(batches, [own.slice(0, 4), own.slice(4)])
  const [batch] = [...part.slice(1).batches({ batchSize: 4, order: [3, 0, 0] })]
  t.deepEqual([...(batch?.images.data ?? [])], [own[4], own[1], own[1]])
  t.deepEqual([...(batch?.labels ?? [])], [labels[4], labels[1], labels[1]])
  const [half] = part.split([0.5], { seed: 1 })
  t.true(numbers(half).every((number) => own.includes(number)))
  t.is(half.length, 3)
})

test('nothing is copied: parts are disposed of with the whole', async (t) => {
  const data = await numbered(labelsOf(8, 8))
  const [part] = data.split([0.5], { seed: 1 })
  data.dispose()
  t.throws(() => part.images(), { code: 'DISPOSED' })
  t.throws(() => data.split([0.5], { stratify: true }), { code: 'DISPOSED' })
})

test('targets stay with their images', async (t) => {
  const images = { data: Uint8Array.of(0, 1, 2, 3), shape: [4, 1, 1, 1] }
  const data = await arrayDataset({ images, targets: { data: Float32Array.of(0, 10, 20, 30), shape: [4, 1] } })
  const [part] = data.split([0.75], { seed: 1 })
  t.deepEqual(
    [...part.targets().data],
    numbers(part).map((number) => 10 * number),
  )
})

test('shares of less than 1 leave images out, and whole images go to the largest remainders', async (t) => {
  const data = await numbered(labelsOf(11))
  const sizes = (shares: number[]) => data.split(shares, { seed: 1 }).map((part) => part.length)
  t.deepEqual(sizes([0.5, 0.25]), [5, 3]) // 5.5, 2.75, and 2.75 left out
  t.deepEqual(sizes([1]), [11])
  t.deepEqual(sizes([0.9, 0.1]), [10, 1])
  t.deepEqual(sizes([1 / 3, 1 / 3, 1 / 3]), [4, 4, 3])
  t.deepEqual(sizes([0.333333333, 0.333333333, 0.333333334]), [4, 3, 4])
  t.deepEqual(sizes([0.7, 0.2, 0.1]), [8, 2, 1]) // 7.7, 2.2 and 1.1
})

test('stratified, each class keeps its shares', async (t) => {
  const data = await numbered(labelsOf(30, 20, 10, 0, 7))
  const parts = data.split([0.7, 0.2, 0.1], { stratify: true, seed: 5 })
  t.deepEqual(
    parts.map((part) => counts(part, 5)),
    [
      [21, 14, 7, 0, 5], // of the last, 4.9, 1.4 and 0.7
      [6, 4, 2, 0, 1],
      [3, 2, 1, 0, 1],
    ],
  )
  t.is(new Set(parts.flatMap(numbers)).size, 67)
  t.notDeepEqual([...parts[0].labels()], [...parts[0].labels()].toSorted(), 'and is mixed with the others')
  const half = data.split([0.5], { stratify: true, seed: 5 })
  t.deepEqual(
    half.map((part) => counts(part, 3)),
    [[15, 10, 5]],
  )
})

test('every label that there can be is a class of its own', async (t) => {
  const data = await numbered([255, 254, 0, 255, 254, 0, 255, 254, 0, 255, 254, 0])
  const [part] = data.split([0.5], { stratify: true, seed: 1 })
  t.deepEqual([...part.labels()].toSorted(), [0, 0, 254, 254, 255, 255])
})

test('where remainders are alike, the part has the image that has fewer', async (t) => {
  const data = await numbered(labelsOf(...new Array<number>(10).fill(15)))
  const [train, val] = data.split([0.9, 0.1], { stratify: true, seed: 1 }) // 13.5 and 1.5
  t.deepEqual([train.length, val.length], [135, 15])
  t.deepEqual(counts(val, 10).toSorted(), [1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
  const [half] = data.split([0.5], { stratify: true, seed: 1 })
  t.is(half.length, 75, 'those that come into no part have their share as well')
})

test('a split does not follow the orders of a training with its seed', async (t) => {
  const [own, orders] = [shuffledBeside(9, 1000), await shuffler(9)(1000, 0)]
  t.deepEqual(own.toSorted(), orders.toSorted())
  const same = own.filter((image, i) => image === orders[i])
  t.true(same.length < 10, `${same.length} of 1000 in the same place`)
})

const refusals: [what: string, shares: unknown, options: unknown, message: RegExp][] = [
  ['no shares', [], {}, /an array of numbers above 0, .* for shares, .* \[\]/],
  ['a number', 0.9, {}, /an array .* for shares, .* 0\.9/],
  ['a share of 0', [1, 0], {}, /above 0, up to 1, for shares\[1\], .* 0\.$/],
  ['a negative share', [-0.1], {}, /for shares\[0\], .* -0\.1/],
  ['no number', ['0.5'], {}, /for shares\[0\], .* "0\.5"/],
  ['NaN', [Number.NaN], {}, /for shares\[0\], .* NaN/],
  ['more than all', [0.9, 0.2], {}, /sum to 1 at most, not to 1\.1/],
  ['a share of no image', [0.97, 0.03], {}, /share of 0\.03 of 12 images is none \(shares\[1\]\)/],
  ['a class too small', [0.8, 0.2], { stratify: true }, /^Class 2 has 2 images, of which a share of 0\.2 is none \(sh/],
  [
    'a class too small for the first',
    [0.2, 0.8],
    { stratify: true },
    /^Class 2 has 2 .* share of 0\.2 is .*\(shares\[0\]\)/,
  ],
  ['a typo', [0.5], { stratified: true }, /"stratified" for split; it takes stratify, seed/],
  ['stratify in words', [0.5], { stratify: 'yes' }, /true or false for stratify, .* "yes"/],
  ['a seed of 0.5', [0.5], { seed: 0.5 }, /for seed, .* 0\.5/],
  ['options that are none', [0.5], 3, /an object of options for split, .* 3/],
]

for (const [what, shares, options, message] of refusals) {
  test(`a split by ${what} is refused`, async (t) => {
    const data = await numbered(labelsOf(5, 5, 2))
    t.throws(() => data.split(shares as number[], options as object), { code: 'INVALID_ARGUMENT', message })
  })
}

test('without labels, nothing is stratified', async (t) => {
  const images = { data: Uint8Array.of(0, 1, 2, 3), shape: [4, 1, 1, 1] }
  const data = await arrayDataset({ images, targets: { data: new Float32Array(4), shape: [4, 1] } })
  const expected = { code: 'DATA_MISMATCH', message: /^The dataset has targets alone, .* leave stratify out\.$/ }
  t.throws(() => data.split([0.5], { stratify: true }), expected)
  t.is(data.split([0.5])[0].length, 2)
})

test('a proxy is none that can be split, and no images have no parts', async (t) => {
  const data = await numbered([0, 1])
  t.throws(() => new Proxy(data, {}).split([1]), { message: /received a proxy/ })
  t.throws(() => data.slice(1, 1).split([1]), { message: /A share of 1 of 0 images is none/ })
  t.true(data.split([1])[0] instanceof Dataset)
})
