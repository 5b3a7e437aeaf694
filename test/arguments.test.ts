import { runInNewContext } from 'node:vm'
import test from 'ava'
import {
  arrayDataset,
  CandlewickError,
  conv2d,
  type Dataset,
  dense,
  type ErrorCode,
  evaluate,
  type FitOptions,
  fit,
  type Initializer,
  maxPool2d,
  normal,
  type Optimizer,
  Sequential,
  sgd,
  step,
  uniform,
  xavier,
  zeros,
} from 'candlewick'

async function network(): Promise<Sequential> {
  const net = new Sequential([conv2d({ channels: 2, kernelSize: 3 }), dense({ units: 3 })])
  await net.initialize({ inputShape: [1, 4, 4], device: 'cpu', seed: 1 })
  return net
}

let net: Sequential
let dataset: Dataset
let other: Dataset

test.before(async () => {
  net = await network()
  dataset = await arrayDataset({ images: { data: new Uint8Array(64), shape: [4, 1, 4, 4] }, labels: [0, 1, 2, 0] })
  other = await arrayDataset({ images: { data: new Uint8Array(36), shape: [4, 1, 3, 3] }, labels: [0, 1, 2, 3] })
})

/** What a user without types, or with a wrong value at run time, would pass. */
// biome-ignore lint/suspicious/noExplicitAny: it stands for any wrong value
const wrong = (value: unknown): any => value

/** An array with these elements, and holes between them. */
const holey = (elements: Record<number, unknown>) => wrong(Object.assign([], elements))

const sizes = { data: new Uint8Array(16), shape: [1, 1, 4, 4] }
const optimizer = sgd({ learningRate: 0.1 })
const fitWith = (options: Partial<FitOptions>, train = () => dataset) => {
  return async () => fit(await network(), train(), { epochs: 1, batchSize: 2, optimizer, ...options }).next()
}

const cases: [what: string, act: () => unknown, code: ErrorCode, message: RegExp][] = [
  ['a batch size of 0', fitWith({ batchSize: 0 }), 'INVALID_ARGUMENT', /at least 1 for batchSize.* 0\.$/],
  ['a batch size of 1.5', fitWith({ batchSize: 1.5 }), 'INVALID_ARGUMENT', /integer .*batchSize.* 1\.5\.$/],
  ['a batch size in words', fitWith({ batchSize: wrong('256') }), 'INVALID_ARGUMENT', /batchSize.* "256"\.$/],
  ['no epochs', fitWith({ epochs: 0 }), 'INVALID_ARGUMENT', /epochs/],
  ['an unknown option', fitWith(wrong({ batchsize: 3 })), 'INVALID_ARGUMENT', /"batchsize" for fit; .*batchSize/],
  ['a dataset that is none', fitWith({}, () => wrong([])), 'INVALID_ARGUMENT', /train/],
  ['an empty dataset', fitWith({}, () => dataset.slice(1, 1)), 'INVALID_ARGUMENT', /no images/],
  ['a label out of range', fitWith({}, () => small), 'LABEL_OUT_OF_RANGE', /Image 3 has label 3.*3 classes/],
  ['images of another size', fitWith({}, () => other), 'INVALID_SHAPE', /\(1, 3, 3\).*\(1, 4, 4\)/],
  ['test images of another size', () => fitWith({ test: other })(), 'INVALID_SHAPE', /\(1, 3, 3\).*\(1, 4, 4\)/],
  ['test images that are none', fitWith({ test: wrong(1) }), 'INVALID_ARGUMENT', /for test, but received 1/],
  [
    'a learning rate that is no number',
    () => sgd({ learningRate: Number.NaN }),
    'INVALID_ARGUMENT',
    /learningRate.* NaN/,
  ],
  ['a negative learning rate', () => sgd({ learningRate: -0.1 }), 'INVALID_ARGUMENT', /learningRate.* -0\.1/],
  ['an infinite learning rate', () => sgd({ learningRate: 1 / 0 }), 'INVALID_ARGUMENT', /Infinity/],
  ['a learning rate beyond float32', () => sgd({ learningRate: 1e39 }), 'INVALID_ARGUMENT', /learningRate.* 1e\+39/],
  [
    'a momentum that float32 makes 1',
    () => sgd({ learningRate: 1, momentum: 0.99999999 }),
    'INVALID_ARGUMENT',
    /momentum.* 0\.99999999/,
  ],
  [
    'a weight decay that float32 makes 0',
    () => sgd({ learningRate: 1, weightDecay: 1e-46 }),
    'INVALID_ARGUMENT',
    /weightDecay.* 1e-46/,
  ],
  ['a momentum of null', () => sgd(wrong({ learningRate: 1, momentum: null })), 'INVALID_ARGUMENT', /momentum.* null/],
  [
    'a weight decay of null, made by hand,',
    () => step(net, sizes, [0], wrong({ learningRate: 1, weightDecay: null })),
    'INVALID_ARGUMENT',
    /weightDecay.* null/,
  ],
  [
    'an optimizer of a typo',
    fitWith({ optimizer: wrong({ learningRate: 1, momentun: 0 }) }),
    'INVALID_ARGUMENT',
    /"momentun"/,
  ],
  ['a momentum of 1', () => sgd({ learningRate: 1, momentum: 1 }), 'INVALID_ARGUMENT', /momentum/],
  ['an optimizer that is none', fitWith({ optimizer: wrong(0.9) }), 'INVALID_ARGUMENT', /optimizer/],
  ['an unknown activation', () => dense({ units: 1, activation: wrong('swish') }), 'INVALID_ARGUMENT', /"swish"/],
  ['a kernel of 0', () => conv2d({ channels: 1, kernelSize: 0 }), 'INVALID_ARGUMENT', /kernelSize/],
  ['strides of 0', () => maxPool2d({ poolSize: 2, strides: 0 }), 'INVALID_ARGUMENT', /strides/],
  ['half a unit', () => dense({ units: 0.5 }), 'INVALID_ARGUMENT', /units/],
  ['no layers', () => new Sequential([]), 'INVALID_ARGUMENT', /at least one layer/],
  ['a layer that is none', () => new Sequential(wrong([1])), 'INVALID_ARGUMENT', /layers\[0\]/],
  [
    'a layer that is missing',
    () => new Sequential(holey({ 0: dense({ units: 1 }), 2: dense({ units: 1 }) })),
    'INVALID_ARGUMENT',
    /layers\[1\]/,
  ],
  [
    'layers that cannot be read',
    () => new Sequential(revoked()),
    'INVALID_ARGUMENT',
    /layers cannot be read: .*revoked/,
  ],
  [
    'strides of null',
    () => conv2d(wrong({ channels: 1, kernelSize: 1, strides: null })),
    'INVALID_ARGUMENT',
    /strides.* null/,
  ],
  [
    'padding of null',
    () => conv2d(wrong({ channels: 1, kernelSize: 1, padding: null })),
    'INVALID_ARGUMENT',
    /padding.* null/,
  ],
  [
    'pool strides of null',
    () => maxPool2d(wrong({ poolSize: 1, strides: null })),
    'INVALID_ARGUMENT',
    /strides.* null/,
  ],
  [
    'an activation of null',
    () => dense(wrong({ units: 1, activation: null })),
    'INVALID_ARGUMENT',
    /activation.* null/,
  ],
  [
    'a kernel with a hole',
    () => conv2d(wrong({ channels: 1, kernelSize: holey({ 1: 1 }) })),
    'INVALID_ARGUMENT',
    /kernelSize\[0\].* undefined/,
  ],
  ['a scale beyond float32', () => uniform(1e39), 'INVALID_ARGUMENT', /scale.* 1e\+39/],
  [
    'a deviation whose draws float32 does not hold',
    () => normal(1e38),
    'INVALID_ARGUMENT',
    /below 1e\+37 for sigma.* 1e\+38/,
  ],
  ['a negative deviation', () => normal(-1), 'INVALID_ARGUMENT', /sigma/],
  ['a kernel larger than its input', () => tooLarge([1, 4, 4]), 'INVALID_SHAPE', /conv0 .* 5.* 4/],
  ['an input shape of two', () => tooLarge(wrong([4, 4])), 'INVALID_ARGUMENT', /inputShape/],
  ['a seed below 0', () => initialize({ seed: -1 }), 'INVALID_ARGUMENT', /seed/],
  ['no threads', () => initialize({ threads: 0 }), 'INVALID_ARGUMENT', /threads/],
  ['a GPU where there is none', () => initialize({ device: 'cuda:9999' }), 'DEVICE_UNAVAILABLE', /cuda:9999.*tryGpu/],
  ['a device that is none', () => initialize({ device: 'gpu' }), 'INVALID_ARGUMENT', /"gpu"/],
  [
    'too short an array',
    () => net.predict({ ...sizes, data: new Uint8Array(15) }),
    'INVALID_ARGUMENT',
    /16 values.* 15/,
  ],
  [
    'an array of doubles',
    () => net.predict({ ...sizes, data: wrong(new Float64Array(16)) }),
    'INVALID_ARGUMENT',
    /Float64/,
  ],
  ['a shape of three', () => net.predict({ ...sizes, shape: [1, 4, 4] }), 'INVALID_ARGUMENT', /shape/],
  ['images of other sizes', () => net.predict({ ...sizes, shape: [1, 1, 2, 8] }), 'INVALID_SHAPE', /\(1, 1, 2, 8\)/],
  [
    'an input shape with a hole',
    () => tooLarge(holey({ 0: 1, 2: 28 })),
    'INVALID_ARGUMENT',
    /inputShape\[1\].* undefined/,
  ],
  [
    'a shape with a hole',
    () => net.predict({ ...sizes, shape: holey({ 0: 1, 2: 4, 3: 4 }) }),
    'INVALID_ARGUMENT',
    /shape\[1\]/,
  ],
  [
    'a shape of bigints',
    () => net.predict({ ...sizes, shape: wrong([1n, 1n, 4n, 4n]) }),
    'INVALID_ARGUMENT',
    /shape\[0\].* 1n/,
  ],
  [
    'images without pixels',
    () => net.predict({ data: new Uint8Array(0), shape: [1, 1, 0, 4] }),
    'INVALID_SHAPE',
    /\[1, 1, 0, 4\] have no pixels/,
  ],
  ['a dataset without pixels', () => memory({ shape: [1, 0, 4, 4] }), 'INVALID_SHAPE', /no pixels.*at least 1/],
  [
    'an array that was given away',
    () => net.predict({ ...sizes, data: detached(16) }),
    'INVALID_ARGUMENT',
    /16 values.* of length 0/,
  ],
  ['images that are none', () => net.predict(wrong(null)), 'INVALID_ARGUMENT', /images\.data.* undefined/],
  [
    'a list of pixels',
    () => net.predict({ ...sizes, data: wrong([0, 1]) }),
    'INVALID_ARGUMENT',
    /Uint8ClampedArray or Float32Array.* \[ 0, 1 \]/,
  ],
  [
    'what only looks like bytes',
    () => net.predict({ ...sizes, data: Object.create(Uint8Array.prototype) }),
    'INVALID_ARGUMENT',
    /images\.data/,
  ],
  [
    'a proxy of bytes',
    () => net.predict({ ...sizes, data: new Proxy(sizes.data, {}) }),
    'INVALID_ARGUMENT',
    /a proxy of Uint8Array/,
  ],
  [
    'images that cannot be read',
    () =>
      net.predict(
        wrong({
          get data() {
            throw new Error('no data')
          },
        }),
      ),
    'INVALID_ARGUMENT',
    /images cannot be read: no data/,
  ],
  [
    'labels that are none',
    () => step(net, sizes, wrong(undefined), optimizer),
    'INVALID_ARGUMENT',
    /labels.* undefined/,
  ],
  ['a text of labels', () => step(net, sizes, wrong('0'), optimizer), 'INVALID_ARGUMENT', /labels.* "0"/],
  [
    'labels without end',
    () => step(net, sizes, { length: 2 ** 31 }, optimizer),
    'INVALID_ARGUMENT',
    /1 numbers.*2147483648/,
  ],
  [
    'a bigint label',
    () => step(net, sizes, wrong(new BigInt64Array(1)), optimizer),
    'INVALID_ARGUMENT',
    /labels\[0\].* 0n/,
  ],
  [
    'a label in a hole',
    () => step(net, sizes, wrong(Array(1)), optimizer),
    'INVALID_ARGUMENT',
    /labels\[0\].* undefined/,
  ],
  ['a label of -1', () => step(net, sizes, new Int8Array([-1]), optimizer), 'INVALID_ARGUMENT', /labels\[0\].* -1/],
  [
    'a label of NaN',
    () => step(net, sizes, new Float32Array([Number.NaN]), optimizer),
    'INVALID_ARGUMENT',
    /labels\[0\].* NaN/,
  ],
  [
    'labels that cannot be read',
    () =>
      step(
        net,
        sizes,
        new Proxy([0], {
          get: () => {
            throw new Error('no label')
          },
        }),
        optimizer,
      ),
    'INVALID_ARGUMENT',
    /no label/,
  ],
  ['a label too many', () => step(net, sizes, [0, 1], optimizer), 'INVALID_ARGUMENT', /1 numbers/],
  ['a label of 3', () => step(net, sizes, [3], optimizer), 'LABEL_OUT_OF_RANGE', /label 3/],
  ['a label of 2^32', () => step(net, sizes, [2 ** 32], optimizer), 'INVALID_ARGUMENT', /labels\[0\].* 4294967296/],
  [
    'a size of 2^32',
    () => net.predict({ data: new Uint8Array(0), shape: [0, 2 ** 32, 4, 4] }),
    'INVALID_ARGUMENT',
    /shape/,
  ],
  ['an unknown layer', () => new Sequential(wrong([{ kind: 'lstm' }])), 'INVALID_ARGUMENT', /layers\[0\].*lstm/],
  ['a layer of words', () => new Sequential(wrong([{ kind: 'dense', units: '3' }])), 'INVALID_ARGUMENT', /units/],
  ['an unknown initializer', () => initialize({ init: { kind: 'he' } }), 'INVALID_ARGUMENT', /init.*he/],
  [
    'an initializer with a typo',
    () => initialize({ init: { kind: 'normal', sigma: 1 } }),
    'INVALID_ARGUMENT',
    /"sigma" for normal; it takes kind, scale/,
  ],
  [
    'zeros of a scale',
    () => initialize({ init: { kind: 'zeros', scale: 1 } }),
    'INVALID_ARGUMENT',
    /"scale" for zeros/,
  ],
  ['a scale of null', () => initialize({ init: { kind: 'uniform', scale: null } }), 'INVALID_ARGUMENT', /scale.* null/],
  [
    'a dense layer with channels',
    () => new Sequential([{ kind: 'dense', units: 1, channels: 1 }]),
    'INVALID_ARGUMENT',
    /"channels" for dense/,
  ],
  [
    'a layer with a typo',
    () => new Sequential([wrong({ kind: 'dense', unit: 1 })]),
    'INVALID_ARGUMENT',
    /"unit" for layers\[0\]/,
  ],
  ['an initializer of words', () => initialize({ init: { kind: 'normal', scale: 'x' } }), 'INVALID_ARGUMENT', /sigma/],
  ['a forceReinit of words', () => initialize({ forceReinit: 'yes' }), 'INVALID_ARGUMENT', /forceReinit/],
  ['a signal that is none', () => evaluate(net, dataset, { signal: wrong(5) }), 'INVALID_ARGUMENT', /signal/],
  ['an onProgress that is none', fitWith({ onProgress: wrong(5) }), 'INVALID_ARGUMENT', /onProgress/],
  [
    'padding beyond all memory',
    () => describe({ padding: 2 ** 31 - 1 }),
    'INVALID_SHAPE',
    /conv0's padded input.*2\^32/,
  ],
  [
    'more memory than addresses',
    () => initialize({ inputShape: [1, 65_535, 65_535], threads: 16 }),
    'OUT_OF_MEMORY',
    /GiB/,
  ],
  ['a label of 0.5', () => step(net, sizes, [0.5], optimizer), 'INVALID_ARGUMENT', /^Expected .* labels\[0\].* 0\.5/],
  [
    'an empty batch',
    () => step(net, { data: new Uint8Array(0), shape: [0, 1, 4, 4] }, [], optimizer),
    'INVALID_ARGUMENT',
    /at least one/,
  ],
  ['evaluating images of another size', () => evaluate(net, other), 'INVALID_SHAPE', /\(1, 3, 3\)/],
]

function memory(images: object) {
  return arrayDataset({ images: { data: new Uint8Array(0), ...wrong(images) }, labels: [0] })
}

function revoked() {
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  return wrong(proxy)
}

function detached(length: number): Uint8Array {
  const array = new Uint8Array(length)
  structuredClone(array, { transfer: [array.buffer] })
  return array
}

let small: Dataset
test.before(async () => {
  small = await arrayDataset({ images: { data: new Uint8Array(64), shape: [4, 1, 4, 4] }, labels: [0, 1, 2, 3] })
})

function initialize(options: object) {
  return new Sequential([dense({ units: 1 })]).initialize({ inputShape: [1, 2, 2], ...options })
}

function describe(options: { padding: number }) {
  return new Sequential([conv2d({ channels: 1, kernelSize: 1, ...options })]).describe([1, 28, 28])
}

function tooLarge(inputShape: [number, number, number]) {
  return new Sequential([conv2d({ channels: 1, kernelSize: 5 })]).initialize({ inputShape })
}

for (const [what, act, code, message] of cases) {
  test(`${what} is refused`, async (t) => {
    const error = await t.throwsAsync(async () => act(), { instanceOf: CandlewickError, code, message })
    t.regex(error?.message ?? '', /^\S.*\.$/s, 'a sentence')
  })
}

test('images are taken from any realm, of any class, and read once', async (t) => {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => i * 16)
  const floats = Float32Array.from(bytes, (byte) => byte / 255)
  class Odd extends Uint8Array {
    override get length(): number {
      return 3
    }
  }
  const net = await network()
  const expected = await net.predict({ data: bytes, shape: [1, 1, 4, 4] })
  const behind = new Uint8Array(20)
  behind.set(bytes, 4)
  for (const data of [
    Uint8ClampedArray.from(bytes),
    Buffer.from(bytes),
    behind.subarray(4),
    new Odd(bytes.buffer),
    runInNewContext('Uint8Array.from(bytes)', { bytes }),
    runInNewContext('Uint8ClampedArray.from(bytes)', { bytes }),
    runInNewContext('Float32Array.from(floats)', { floats }),
  ]) {
    t.deepEqual(await net.predict({ data, shape: [1, 1, 4, 4] }), expected)
    t.deepEqual(await net.predict({ data, shape: runInNewContext('[1, 1, 4, 4]') }), expected)
  }
  let reads = 0
  const changing = {
    get data() {
      return reads++ === 0 ? bytes : wrong('no more')
    },
    get shape() {
      return reads++ < 2 ? [1, 1, 4, 4] : wrong('no more')
    },
  }
  t.deepEqual(await net.predict(changing), expected)
})

test('labels are taken from any realm and of any class', async (t) => {
  const images = { data: new Uint8Array(16).fill(200), shape: [1, 1, 4, 4] }
  const loss = async (labels: ArrayLike<number>) => (await step(await network(), images, labels, optimizer)).loss
  const expected = await loss([2])
  const { labels } = runInNewContext('({ labels: [2] })')
  for (const same of [labels, { length: 1, 0: 2 }, new Float64Array([2]), new Proxy([2], {}), Buffer.of(2)]) {
    t.is(await loss(same), expected)
  }
  t.not(await loss([1]), expected)
})

test('an optimizer made by hand has the defaults of sgd, and each of its settings is read once', async (t) => {
  const after = async (made: Optimizer) => {
    const net = await network()
    await step(net, sizes, [1], made)
    await step(net, sizes, [1], made)
    return net.parameters()
  }
  const expected = await after(sgd({ learningRate: 0.5 }))
  t.deepEqual(await after({ learningRate: 0.5 }), expected)
  t.deepEqual(await after(Object.freeze({ learningRate: 0.5, weightDecay: 0 })), expected)
  t.notDeepEqual(await after({ learningRate: 0.5, momentum: 0.5 }), expected)
  t.notDeepEqual(await after({ learningRate: 0.5, weightDecay: 0.5 }), expected)
  let reads = 0
  const changing = {
    get learningRate() {
      return reads++ % 2 === 0 ? 0.5 : wrong('no more')
    },
  }
  await t.notThrowsAsync(step(await network(), sizes, [1], changing))
  t.is(reads, 1)
  const others = { nesterov: false, decay: 'all', clipNorm: undefined, averaging: undefined } as const
  t.deepEqual(sgd({ learningRate: 0.5 }), { learningRate: 0.5, momentum: 0, weightDecay: 0, ...others })
})

test('an initializer made by hand has the defaults of the functions', async (t) => {
  const weights = async (init: Initializer) => {
    const net = new Sequential([dense({ units: 1000 })])
    await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1, init })
    return (await net.parameters())['dense0.weight']?.data ?? new Float32Array()
  }
  for (const [made, byHand, largest] of [
    [uniform(), { kind: 'uniform' }, 0.07],
    [uniform(), uniform(0.07), 0.07],
    [normal(), { kind: 'normal' }, 0.05],
    [normal(), normal(0.01), 0.05],
    [xavier(), { kind: 'xavier' }, Math.sqrt(6 / 1004)],
    [zeros(), { kind: 'zeros' }, 0],
  ] as [Initializer, Initializer, number][]) {
    const drawn = await weights(made)
    t.deepEqual(drawn, await weights(byHand))
    const most = drawn.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0)
    t.true(most <= largest && most >= 0.6 * largest, `${made.kind}: ${most}`)
  }
})

test('layers can be made by hand, of any class, and are read once', (t) => {
  let reads = 0
  class Hand {
    get kind() {
      return reads++ === 0 ? 'dense' : 'lstm'
    }
    get units() {
      return 3
    }
  }
  const inputShape = [1, 4, 4]
  const expected = new Sequential([dense({ units: 3 })]).describe(inputShape)
  t.deepEqual(new Sequential([new Hand()]).describe(inputShape), expected)
  t.deepEqual(new Sequential([new Proxy(dense({ units: 3 }), {})]).describe(inputShape), expected)
  t.deepEqual(
    new Sequential([{ kind: 'dense', units: 3, activation: wrong(undefined) }]).describe(inputShape),
    expected,
  )
  t.deepEqual(
    new Sequential([{ kind: 'avgPool2d', poolSize: [2, 2] }]).describe(inputShape)[0]?.outputShape,
    [1, 1, 2, 2],
  )
})
