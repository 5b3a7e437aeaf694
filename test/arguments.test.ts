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
  maxPool2d,
  normal,
  Sequential,
  sgd,
  step,
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
  ['test images of another size', fitWith({ test: wrong(1) }), 'INVALID_ARGUMENT', /test/],
  [
    'a learning rate that is no number',
    () => sgd({ learningRate: Number.NaN }),
    'INVALID_ARGUMENT',
    /learningRate.* NaN/,
  ],
  ['a negative learning rate', () => sgd({ learningRate: -0.1 }), 'INVALID_ARGUMENT', /learningRate.* -0\.1/],
  ['an infinite learning rate', () => sgd({ learningRate: 1 / 0 }), 'INVALID_ARGUMENT', /Infinity/],
  ['a momentum of 1', () => sgd({ learningRate: 1, momentum: 1 }), 'INVALID_ARGUMENT', /momentum/],
  ['an optimizer that is none', fitWith({ optimizer: wrong(0.9) }), 'INVALID_ARGUMENT', /optimizer/],
  ['an unknown activation', () => dense({ units: 1, activation: wrong('swish') }), 'INVALID_ARGUMENT', /"swish"/],
  ['a kernel of 0', () => conv2d({ channels: 1, kernelSize: 0 }), 'INVALID_ARGUMENT', /kernelSize/],
  ['strides of 0', () => maxPool2d({ poolSize: 2, strides: 0 }), 'INVALID_ARGUMENT', /strides/],
  ['half a unit', () => dense({ units: 0.5 }), 'INVALID_ARGUMENT', /units/],
  ['no layers', () => new Sequential([]), 'INVALID_ARGUMENT', /at least one layer/],
  ['a layer that is none', () => new Sequential(wrong([1])), 'INVALID_ARGUMENT', /layers\[0\]/],
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
  ['a label of 0.5', () => step(net, sizes, [0.5], optimizer), 'INVALID_ARGUMENT', /labels\[0\]/],
  [
    'an empty batch',
    () => step(net, { data: new Uint8Array(0), shape: [0, 1, 4, 4] }, [], optimizer),
    'INVALID_ARGUMENT',
    /at least one/,
  ],
  ['evaluating images of another size', () => evaluate(net, other), 'INVALID_SHAPE', /\(1, 3, 3\)/],
]

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
