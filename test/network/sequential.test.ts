import test from 'ava'
import {
  avgPool2d,
  conv2d,
  dense,
  formatShape,
  type InitializeOptions,
  lenet,
  maxPool2d,
  normal,
  Sequential,
  sgd,
  step,
  tryGpu,
  uniform,
  xavier,
  zeros,
} from 'candlewick'

const inputShape = [1, 28, 28] as const
const gray = (n: number) => ({ data: new Uint8Array(n * 784).fill(100), shape: [n, 1, 28, 28] })

function small(): Sequential {
  return new Sequential([conv2d({ channels: 2, kernelSize: 3 }), dense({ units: 3 })])
}

async function initialized(options: InitializeOptions = {}): Promise<Sequential> {
  const net = small()
  await net.initialize({ inputShape, device: 'cpu', seed: 1, ...options })
  return net
}

test('LeNet has the shapes of the d2l text and its parameters the names', async (t) => {
  const net = lenet()
  await net.initialize({ inputShape, init: xavier(), device: tryGpu(), seed: 1 })
  t.deepEqual(
    net.layers.map(({ name, outputShape }) => `${name} output shape: ${formatShape(outputShape ?? [])}`),
    [
      'conv0 output shape: (1, 6, 24, 24)',
      'pool0 output shape: (1, 6, 12, 12)',
      'conv1 output shape: (1, 16, 8, 8)',
      'pool1 output shape: (1, 16, 4, 4)',
      'dense0 output shape: (1, 120)',
      'dense1 output shape: (1, 84)',
      'dense2 output shape: (1, 10)',
    ],
  )
  const parameters = await net.parameters()
  t.deepEqual(
    Object.entries(parameters).map(([name, { shape }]) => `${name} ${formatShape(shape)}`),
    [
      'conv0.weight (6, 1, 5, 5)',
      'conv0.bias (6)',
      'conv1.weight (16, 6, 5, 5)',
      'conv1.bias (16)',
      'dense0.weight (120, 256)',
      'dense0.bias (120)',
      'dense1.weight (84, 120)',
      'dense1.bias (84)',
      'dense2.weight (10, 84)',
      'dense2.bias (10)',
    ],
  )
  t.true(Object.values(parameters).every(({ shape, data }) => data.length === shape.reduce((a, b) => a * b, 1)))
})

test('LeNet computes what its layers, written out, do', async (t) => {
  const written = new Sequential([
    conv2d({ channels: 6, kernelSize: 5, activation: 'sigmoid' }),
    maxPool2d({ poolSize: 2, strides: 2 }),
    conv2d({ channels: 16, kernelSize: 5, activation: 'sigmoid' }),
    maxPool2d({ poolSize: 2, strides: 2 }),
    dense({ units: 120, activation: 'sigmoid' }),
    dense({ units: 84, activation: 'sigmoid' }),
    dense({ units: 10 }),
  ])
  const images = { data: Uint8Array.from({ length: 2 * 784 }, (_, i) => (i * i) % 251), shape: [2, 1, 28, 28] }
  const answers = [lenet(), written].map(async (net) => {
    // Larger weights than xavier's, so that the sigmoids do not hide what is before them.
    await net.initialize({ inputShape, device: 'cpu', seed: 1, init: normal(0.5) })
    return net.predict(images)
  })
  const [ours, theirs] = await Promise.all(answers)
  t.deepEqual(ours, theirs)
})

test('pairs, padding and both pools count in the shapes', (t) => {
  const net = new Sequential([
    conv2d({ channels: 4, kernelSize: [3, 5], strides: [2, 1], padding: [1, 2], activation: 'relu' }),
    maxPool2d({ poolSize: 2 }),
    avgPool2d({ poolSize: [2, 3], strides: 1 }),
    dense({ units: 5, activation: 'tanh' }),
  ])
  t.deepEqual(
    net.layers.map(({ name, outputShape }) => [name, outputShape]),
    [
      ['conv0', null],
      ['pool0', null],
      ['pool1', null],
      ['dense0', null],
    ],
  )
  t.deepEqual(
    net.describe([3, 20, 21]).map(({ outputShape }) => outputShape),
    [
      [1, 4, 10, 21],
      [1, 4, 5, 10],
      [1, 4, 4, 8],
      [1, 5],
    ],
  )
  t.deepEqual(
    net.describe([3, 20, 21]).map(({ parameterCount }) => parameterCount),
    [4 * 45 + 4, 0, 0, 5 * 128 + 5],
  )
})

test('a seed decides every initialiser', async (t) => {
  const weights = async (options: InitializeOptions) => {
    const { data } = (await (await initialized(options)).parameters())['dense0.weight'] ?? {}
    return Array.from(data ?? [])
  }
  for (const init of [xavier(), uniform(0.5), normal(0.5)]) {
    t.deepEqual(await weights({ init, seed: 7 }), await weights({ init, seed: 7 }))
    t.notDeepEqual(await weights({ init, seed: 7 }), await weights({ init, seed: 8 }))
  }
  t.true((await weights({ init: zeros() })).every((w) => w === 0))
  t.true((await weights({ init: uniform(0.5) })).every((w) => Math.abs(w) <= 0.5))
})

test('initialising again must be asked for', async (t) => {
  const net = await initialized({ init: zeros() })
  await t.throwsAsync(net.initialize({ inputShape }), { code: 'ALREADY_INITIALIZED', message: /forceReinit/ })
  await net.initialize({ inputShape, init: normal(1), seed: 3, forceReinit: true })
  t.not((await net.parameters())['dense0.weight']?.data[0], 0)
  t.is(net.seed, 3)
})

test('parameters wait for the shape of the first images', async (t) => {
  const net = small()
  await net.initialize({ device: 'cpu', seed: 1 })
  await t.throwsAsync(net.parameters(), { code: 'NOT_INITIALIZED', message: /shape of its first images/ })
  t.is(net.layers[0]?.outputShape, null)
  // Images that cannot fit leave it waiting.
  await t.throwsAsync(net.predict({ data: new Uint8Array(4), shape: [1, 1, 2, 2] }), { code: 'INVALID_SHAPE' })
  const [first, second] = await Promise.all([net.predict(gray(1)), net.predict(gray(1))])
  t.deepEqual(first, second)
  t.deepEqual(net.layers[0]?.outputShape, [1, 2, 26, 26])
  t.deepEqual(await net.parameters(), await (await initialized()).parameters())
})

test('one initialisation at a time, and no step meanwhile', async (t) => {
  const net = small()
  const first = net.initialize({ inputShape, device: 'cpu', seed: 1 })
  await t.throwsAsync(net.initialize({ inputShape }), { code: 'BUSY' })
  await first
  const again = net.initialize({ inputShape, forceReinit: true })
  await t.throwsAsync(step(net, gray(1), [0], sgd({ learningRate: 1 })), { code: 'BUSY' })
  await t.throwsAsync(net.loadParameters('x'), { code: 'BUSY' })
  await again
  t.true((await step(net, gray(1), [0], sgd({ learningRate: 1 }))).loss > 0)
})

test('a network without parameters says so', async (t) => {
  const net = small()
  const expected = { code: 'NOT_INITIALIZED', message: /net\.initialize/ }
  await t.throwsAsync(net.predict(gray(1)), expected)
  await t.throwsAsync(net.parameters(), expected)
  await t.throwsAsync(net.saveParameters('x'), expected)
  await t.throwsAsync(step(net, gray(1), [0], sgd({ learningRate: 1 })), expected)
})

test('predictions are probabilities and the label is their largest', async (t) => {
  const net = await initialized()
  const { shape, logits, probabilities, labels } = await net.predict(gray(17))
  t.deepEqual(shape, [17, 3])
  t.is(logits.length, 51)
  const row = Array.from(probabilities.slice(48))
  t.true(Math.abs(row.reduce((a, b) => a + b) - 1) < 1e-6)
  t.is(labels[16], row.indexOf(Math.max(...row)))
  t.deepEqual((await net.predict(gray(0))).shape, [0, 3])
})

test('an array that is given away while it is predicted on costs the answer, not the process', async (t) => {
  const net = await initialized()
  for (const n of [1, 4000]) {
    const { data, shape } = gray(n)
    const answer = net.predict({ data, shape })
    structuredClone(data, { transfer: [data.buffer as ArrayBuffer] })
    await t.throwsAsync(answer, { code: 'INVALID_ARGUMENT', message: /left alone/ })
    const running = net.predict(gray(n))
    t.is((await running).labels.length, n)
  }
})

test('bytes count as 0 to 1, float32 as it is', async (t) => {
  const net = await initialized()
  const floats = { data: new Float32Array(784).fill(100 / 255), shape: [1, 1, 28, 28] }
  t.deepEqual(await net.predict(floats), await net.predict(gray(1)))
})
