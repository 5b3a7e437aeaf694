import test from 'ava'
import { dense, type Images, Sequential, sgd, step } from 'candlewick'

let net: Sequential
test.before(async () => {
  net = new Sequential([dense({ units: 3 })])
  await net.initialize({ inputShape: [2, 3, 1], device: 'cpu', seed: 1 })
})

const data = new Uint8Array(12)
const shape = [2, 2, 3, 1]
const shapeExpected = /\[n, channels, height, width\] for images\.shape/
const sizeExpected = /an integer of at least 0 for images\.shape\[2\]/

const refused: [what: string, images: unknown, message: RegExp][] = [
  ['nothing', undefined, /for images/],
  ['null', null, /for images/],
  ['an array of numbers', { data: [1, 2], shape }, /a Uint8Array.* for images\.data/],
  ['16-bit values', { data: new Uint16Array(12), shape }, /a Uint8Array.* for images\.data.* Uint16Array of length 12/],
  ['no shape', { data }, shapeExpected],
  ['a shape of three', { data, shape: [2, 2, 3] }, shapeExpected],
  ['a shape of five', { data, shape: [2, 2, 3, 1, 1] }, shapeExpected],
  ['a negative size', { data, shape: [2, 2, -3, -1] }, sizeExpected],
  ['a broken size', { data, shape: [2, 2, 1.5, 2] }, sizeExpected],
  ['a size in words', { data, shape: [2, 2, '3', 1] }, sizeExpected],
  ['a size that is no number', { data, shape: [2, 2, Number.NaN, 1] }, sizeExpected],
  ['a size of 2^31', { data: new Uint8Array(), shape: [0, 2 ** 31, 3, 1] }, /for images\.shape\[1\].* 2147483648\.$/],
  [
    'a value too few',
    { data: data.subarray(1), shape },
    /12 values, as shape \[2, 2, 3, 1\] needs, for images\.data, .* length 11/,
  ],
  ['a value too many', { data: new Float32Array(13), shape }, /12 values.* Float32Array of length 13/],
]

for (const [what, images, message] of refused) {
  test(`images: ${what} is refused`, async (t) => {
    const expected = { code: 'INVALID_ARGUMENT', message }
    await t.throwsAsync(net.predict(images as Images), expected)
    await t.throwsAsync(step(net, images as Images, [0, 1], sgd({ learningRate: 0 })), expected)
  })
}

const labels: [what: string, labels: unknown, message: RegExp][] = [
  ['nothing', undefined, /2 numbers, one for each image, for labels/],
  ['a number', 1, /2 numbers.* 1\.$/],
  ['too few', [0], /2 numbers, one for each image, for labels/],
  ['too many', new Uint8Array(3), /2 numbers.*Uint8Array of length 3/],
  ['a negative label', [0, -1], /at least 0 for labels\[1\].* -1/],
  ['a broken label', [0.5, 0], /for labels\[0\].* 0\.5/],
  ['a label in words', [0, '1'], /for labels\[1\].* "1"/],
  ['a hole', new Array(2), /for labels\[0\].* undefined/],
  ['a label of 2^31', [0, 2 ** 31], /for labels\[1\].* 2147483648/],
]

for (const [what, value, message] of labels) {
  test(`labels: ${what} is refused`, async (t) => {
    const answer = step(net, { data, shape }, value as number[], sgd({ learningRate: 0 }))
    await t.throwsAsync(answer, { code: 'INVALID_ARGUMENT', message })
  })
}

test('labels come in any array of numbers', async (t) => {
  const losses = new Set<number>()
  for (const labels of [[2, 1], Uint8Array.of(2, 1), Float64Array.of(2, 1), { length: 2, 0: 2, 1: 1 }]) {
    losses.add((await step(net, { data: Uint8Array.from(data.keys()), shape }, labels, sgd({ learningRate: 0 }))).loss)
  }
  t.is(losses.size, 1)
})

test('images without pixels are refused by their shape', async (t) => {
  for (const shape of [
    [1, 0, 3, 1],
    [0, 2, 0, 1],
    [1, 2, 3, 0],
  ]) {
    const message = new RegExp(`shape \\[${shape.join(', ')}\\] have no pixels; channels, height and width`)
    await t.throwsAsync(net.predict({ data: new Uint8Array(), shape }), { code: 'INVALID_SHAPE', message })
  }
})

test('a size of 2^31 - 1 is a size, if not the one that the network takes', async (t) => {
  const images = { data: new Uint8Array(), shape: [0, 2 ** 31 - 1, 3, 1] }
  await t.throwsAsync(net.predict(images), { code: 'INVALID_SHAPE', message: /2147483647/ })
})

test('no images have no answers', async (t) => {
  for (const data of [new Uint8Array(), new Float32Array()]) {
    const { shape, logits, probabilities, labels } = await net.predict({ data, shape: [0, 2, 3, 1] })
    t.deepEqual([shape, logits.length, probabilities.length, labels.length], [[0, 3], 0, 0, 0])
  }
})

test('the largest label that a class can have is the last', async (t) => {
  const images = { data, shape }
  await t.notThrowsAsync(step(net, images, [2, 0], sgd({ learningRate: 0 })))
  const tooLarge = step(net, images, [0, 3], sgd({ learningRate: 0 }))
  await t.throwsAsync(tooLarge, { code: 'LABEL_OUT_OF_RANGE', message: /label 3.*3 classes/ })
  const largest = step(net, images, [0, 2 ** 31 - 1], sgd({ learningRate: 0 }))
  await t.throwsAsync(largest, { code: 'LABEL_OUT_OF_RANGE', message: /label 2147483647.*3 classes/ })
})
