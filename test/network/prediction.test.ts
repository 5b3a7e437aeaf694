import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { conv2d, dense, maxPool2d, type Prediction, Sequential } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'

const [count, classes] = [6000, 10]

/** Images that differ from one another, in bytes of a simple generator; several of the pieces of 2^20 values. */
const data = new Uint8Array(count * 784)
let state = 1
for (let i = 0; i < data.length; i++) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  data[i] = state >>> 24
}
const images = (start: number, end: number) => ({
  data: data.subarray(start * 784, end * 784),
  shape: [end - start, 1, 28, 28],
})

async function network(): Promise<Sequential> {
  const net = new Sequential([
    conv2d({ channels: 2, kernelSize: 5, activation: 'relu' }),
    maxPool2d({ poolSize: 4 }),
    dense({ units: classes }),
  ])
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  return net
}

const same = (a: ArrayBufferView, b: ArrayBufferView) => bytes(a).equals(bytes(b))
const bytes = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength)

let net: Sequential
let whole: Prediction
test.before(async () => {
  net = await network()
  whole = await net.predict(images(0, count))
})

test('many images are answered as a few at a time are', async (t) => {
  t.deepEqual(whole.shape, [count, classes])
  t.deepEqual([whole.logits.length, whole.probabilities.length, whole.labels.length], [60_000, 60_000, count])
  for (let start = 0; start < count; start += 1000) {
    const part = await net.predict(images(start, start + 1000))
    const [from, to] = [start * classes, (start + 1000) * classes]
    t.true(same(part.logits, whole.logits.subarray(from, to)), `logits from ${start}`)
    t.true(same(part.probabilities, whole.probabilities.subarray(from, to)), `probabilities from ${start}`)
    t.true(same(part.labels, whole.labels.subarray(start, start + 1000)), `labels from ${start}`)
  }
  const first = whole.logits.filter((_, i) => i % classes === 0)
  t.true(new Set(first).size > count / 2, 'different images have different answers')
})

test('counts around the size of a piece lose no image', async (t) => {
  for (const n of [1337, 1338, 2674, 2675]) {
    const { shape, logits, labels } = await net.predict(images(0, n))
    t.deepEqual([shape, logits.length, labels.length], [[n, classes], n * classes, n])
    t.true(same(logits, whole.logits.subarray(0, n * classes)), `${n} images`)
    t.true(same(labels, whole.labels.subarray(0, n)), `${n} images`)
  }
})

test('float32 images are cut into pieces as bytes are', async (t) => {
  const floats = Float32Array.from(data, (byte) => byte / 255)
  const { logits, labels } = await net.predict({ data: floats, shape: [count, 1, 28, 28] })
  t.true(same(logits, whole.logits))
  t.true(same(labels, whole.labels))
})

test('probabilities are the softmax of the logits, and a label is the place of the largest', (t) => {
  for (let i = 0; i < count; i++) {
    const row = Array.from(whole.logits.subarray(i * classes, (i + 1) * classes))
    const largest = Math.max(...row)
    const powers = row.map((logit) => Math.exp(logit - largest))
    const sum = powers.reduce((a, b) => a + b)
    const off = powers.map((power, c) => Math.abs(power / sum - (whole.probabilities[i * classes + c] as number)))
    if (Math.max(...off) > 1e-6) t.fail(`image ${i} is off by ${Math.max(...off)}`)
    if (whole.labels[i] !== row.indexOf(largest)) t.fail(`image ${i} has label ${whole.labels[i]}`)
  }
  t.true(new Set(whole.labels).size > 1, 'not all images have one label')
})

test('an image larger than a piece is answered', async (t) => {
  const side = 1450
  const net = new Sequential([maxPool2d({ poolSize: 725 }), dense({ units: 2 })])
  await net.initialize({ device: 'cpu', seed: 1, threads: 1 })
  const data = new Uint8Array(side * side)
  data[0] = data[725] = data[725 * side] = data[725 * side + 725] = 255
  const { shape, logits } = await net.predict({ data, shape: [1, 1, side, side] })
  t.deepEqual(shape, [1, 2])
  const weights = [...((await net.parameters())['dense0.weight']?.data ?? [])]
  for (const unit of [0, 1]) {
    const sum = weights.slice(4 * unit, 4 * unit + 4).reduce((a, b) => a + b)
    t.true(Math.abs((logits[unit] as number) - sum) < 1e-6, `logit ${logits[unit]} for ${sum}`)
  }
})

test('answers longer than a piece are whole', async (t) => {
  const net = new Sequential([dense({ units: 600_000 })])
  await net.initialize({ inputShape: [1, 1, 1], device: 'cpu', seed: 1 })
  const answers = (...data: number[]) => net.predict({ data: Float32Array.from(data), shape: [data.length, 1, 1, 1] })
  const [both, first, second] = await Promise.all([answers(1, 2), answers(1), answers(2)])
  for (const name of ['logits', 'probabilities'] as const) {
    t.true(same(both[name].subarray(0, 600_000), first[name]), name)
    t.true(same(both[name].subarray(600_000), second[name]), name)
  }
  t.deepEqual([...both.labels], [...first.labels, ...second.labels])
  const weights = (await net.parameters())['dense0.weight']
  t.true(same(weights?.data ?? new Float32Array(), first.logits), 'an input of 1 shows the weights')
})

test('of equal logits the first has the label', async (t) => {
  const net = new Sequential([dense({ units: 3 })])
  await net.initialize({ inputShape: [1, 1, 1], device: 'cpu', seed: 1 })
  const { logits, probabilities, labels } = await net.predict({ data: new Uint8Array(2), shape: [2, 1, 1, 1] })
  t.deepEqual([...logits], [0, 0, 0, 0, 0, 0])
  t.deepEqual([...labels], [0, 0])
  t.true(probabilities.every((probability) => Math.abs(probability - 1 / 3) < 1e-6))
})

test('predictions while a network predicts are each as if alone', async (t) => {
  const all = await Promise.all([images(0, count), images(3000, 6000), images(10, 11)].map((i) => net.predict(i)))
  t.true(same(all[0]?.logits as Float32Array, whole.logits))
  t.true(same(all[1]?.logits as Float32Array, whole.logits.subarray(3000 * classes)))
  t.true(same(all[2]?.logits as Float32Array, whole.logits.subarray(10 * classes, 11 * classes)))
})

test('answers and weights of more values than are copied at a time are put together in their order', async (t) => {
  const net = new Sequential([dense({ units: 12 })])
  await net.initialize({ inputShape: [1, 1, 1], device: 'cpu', seed: 1 })
  const one = await net.predict({ data: Uint8Array.from({ length: 256 }, (_, i) => i), shape: [256, 1, 1, 1] })
  const n = 200_000 // 2.4 million logits
  const pixels = Uint8Array.from({ length: n }, (_, i) => (i * 31) % 251)
  const all = await net.predict({ data: pixels, shape: [n, 1, 1, 1] })
  const expected = new Float32Array(n * 12)
  pixels.forEach((pixel, i) => {
    expected.set(one.logits.subarray(pixel * 12, pixel * 12 + 12), i * 12)
  })
  t.true(same(all.logits, expected))
  pixels.forEach((pixel, i) => {
    expected.set(one.probabilities.subarray(pixel * 12, pixel * 12 + 12), i * 12)
  })
  t.true(same(all.probabilities, expected))
  t.true(all.labels.every((label, i) => label === one.labels[pixels[i] as number]))

  const wide = new Sequential([dense({ units: 1500 })])
  await wide.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  const path = join(await temporaryFolder(t), 'wide.safetensors')
  await wide.saveParameters(path)
  const { 'dense0.weight': weight } = await wide.parameters()
  t.true((await readFile(path)).includes(bytes((weight as { data: Float32Array }).data))) // 1.2 million of them
})
