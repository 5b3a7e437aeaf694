/** What is counted on request: by hand, of a network whose logits are its images. */

import test from 'ava'
import {
  arrayDataset,
  type Dataset,
  dense,
  type Epoch,
  evaluate,
  type FitOptions,
  fit,
  type Images,
  type Metrics,
  meanSquaredError,
  Sequential,
  sgd,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
} from 'candlewick'

const classes = 4

/** One that gives back the pixels, of which images have as many as there are classes. */
async function mirror(engine: 'fused' | 'candle' = 'fused'): Promise<Sequential> {
  const net = new Sequential([dense({ units: classes, useBias: false })])
  await net.initialize({ inputShape: [1, 1, classes], device: 'cpu', seed: 1, engine })
  const data = Float32Array.from({ length: classes ** 2 }, (_, i) => (i % (classes + 1) === 0 ? 1 : 0))
  await net.setParameters({ 'dense0.weight': { data, shape: [classes, classes] } })
  return net
}

/** Images by their pixels, which are logits, with a label each. */
function dataset(...images: [pixels: number[], label: number][]): Promise<Dataset> {
  const data = Uint8Array.from(images.flatMap(([pixels]) => pixels))
  const labels = images.map(([, label]) => label)
  return arrayDataset({ images: { data, shape: [images.length, 1, 1, classes] }, labels })
}

const byHand = () =>
  dataset(
    [[9, 1, 2, 3], 0],
    [[1, 9, 2, 3], 0], // taken for 1; class 0 comes last
    [[5, 9, 2, 3], 0], // taken for 1; class 0 comes second
    [[1, 9, 2, 3], 1],
    [[7, 1, 7, 3], 2], // of equals, the first
    [[0, 0, 0, 0], 3], // class 3 comes last
  )

for (const engine of ['fused', 'candle'] as const) {
  test(`figures are those that one counts, with the engine ${engine}`, async (t) => {
    const [net, data] = [await mirror(engine), await byHand()]
    const metrics = { topK: [1, 2, 3], perClass: true, confusion: true } as const
    const found = await evaluate(net, data, { metrics })
    const { metrics: counted, ...plain } = found
    t.deepEqual(plain, await evaluate(net, data))
    t.deepEqual(counted.confusion, [
      [1, 2, 0, 0],
      [0, 1, 0, 0],
      [1, 0, 0, 0],
      [1, 0, 0, 0],
    ])
    t.deepEqual(counted.topK, { 1: 2 / 6, 2: 4 / 6, 3: 4 / 6 })
    t.is(counted.topK[1], found.accuracy)
    t.deepEqual(counted.perClass, [
      { precision: 1 / 3, recall: 1 / 3, f1: 1 / 3, support: 3 },
      { precision: 1 / 3, recall: 1, f1: 0.5, support: 1 },
      { precision: 0, recall: 0, f1: 0, support: 1 },
      { precision: 0, recall: 0, f1: 0, support: 1 },
    ])
    const means: Record<string, number> = counted.macro
    const expected = { precision: 2 / 3 / 4, recall: 4 / 3 / 4, f1: (1 / 3 + 0.5) / 4 }
    for (const [key, mean] of Object.entries(expected)) t.true(Math.abs((means[key] ?? 0) - mean) < 1e-12, key)
    t.deepEqual(JSON.parse(JSON.stringify(counted)), counted)
  })
}

test('what is not asked for is not there', async (t) => {
  const [net, data] = [await mirror(), await byHand()]
  const keys = async (metrics: object) => Object.keys((await evaluate(net, data, { metrics })).metrics ?? {})
  t.deepEqual(await keys({}), [])
  t.deepEqual(await keys({ topK: [], perClass: false }), [])
  t.deepEqual(await keys({ topK: [4] }), ['topK'])
  t.deepEqual(await keys({ perClass: true }), ['perClass', 'macro'])
  t.deepEqual(await keys({ confusion: true }), ['confusion'])
  t.false('metrics' in (await evaluate(net, data)))
  const { metrics } = await evaluate(net, data, { metrics: { topK: [4] }, loss: softmaxCrossEntropy() })
  t.is(metrics.topK[4], 1)
})

test('of a part of the images, that part is counted', async (t) => {
  const [net, data] = [await mirror(), await byHand()]
  const confusion = async (part: Dataset) => (await evaluate(net, part, { metrics: { confusion: true } })).metrics
  t.deepEqual((await confusion(data.slice(3, 5))).confusion, [
    [0, 0, 0, 0],
    [0, 1, 0, 0],
    [1, 0, 0, 0],
    [0, 0, 0, 0],
  ])
  const sums = (all: Metrics[]) => all.flatMap(({ confusion = [] }) => confusion.flat()).reduce((a, b) => a + b)
  t.is(sums(await Promise.all(data.split([0.5, 0.5], { seed: 1 }).map(confusion))), 6)
})

const options: FitOptions = { epochs: 2, batchSize: 2, optimizer: sgd({ learningRate: 0.5 }) }

async function epochs(net: Sequential, data: Dataset, changes: Partial<FitOptions>): Promise<Epoch[]> {
  const all: Epoch[] = []
  for await (const epoch of fit(net, data, { ...options, ...changes })) all.push(epoch)
  return all
}

test('fit reports them of the images that it evaluates', async (t) => {
  const [net, data] = [await mirror(), await byHand()]
  const metrics = { topK: [2], confusion: true }
  const [validation, rest] = [data.slice(0, 2), data.slice(2)]
  const last = (await epochs(net, rest, { validation, test: data, metrics })).at(-1)
  t.deepEqual(last?.valMetrics, (await evaluate(net, validation, { metrics })).metrics)
  t.deepEqual(last?.testMetrics, (await evaluate(net, data, { metrics })).metrics)
  t.notDeepEqual(last?.valMetrics, last?.testMetrics)
  const [first] = await epochs(net, rest, { test: data })
  t.false('testMetrics' in (first ?? {}))
})

test('predictions in between change nothing in what is counted', async (t) => {
  const net = new Sequential([dense({ units: 64, activation: 'relu' }), dense({ units: 10 })])
  await net.initialize({ inputShape: [1, 8, 8], device: 'cpu', seed: 1 })
  const count = 20_000
  const data = Uint8Array.from({ length: count * 64 }, (_, i) => (i * 2654435761) % 251)
  const labels = Uint8Array.from({ length: count }, (_, i) => (i * i) % 10)
  const large = await arrayDataset({ images: { data, shape: [count, 1, 8, 8] }, labels })
  const few: Images = large.images(0, 3)
  let isDone = false
  const asking = (async () => {
    while (!isDone) await net.predict(few)
  })()
  const metrics = { topK: [3], perClass: true, confusion: true }
  const found = await epochs(net, large.slice(0, 64), { test: large, metrics, epochs: 5 })
  isDone = true
  await asking
  const { metrics: expected, ...plain } = await evaluate(net, large, { metrics })
  t.deepEqual(found.at(-1)?.testMetrics, expected)
  t.is(found.at(-1)?.testLoss, plain.loss)
  t.is(
    expected.confusion?.flat().reduce((a, b) => a + b),
    count,
  )
})

const refusals: [what: string, options: object, message: RegExp][] = [
  ['metrics that are none', { metrics: 5 }, /an object of options for metrics, .* 5/],
  ['a typo', { metrics: { topk: [3] } }, /"topk" for metrics; it takes topK, perClass, confusion/],
  ['a k alone', { metrics: { topK: 3 } }, /an array of integers, .* for metrics\.topK, .* 3/],
  ['a k of 0', { metrics: { topK: [3, 0] } }, /for metrics\.topK\[1\], .* 0/],
  ['a k of 1.5', { metrics: { topK: [1.5] } }, /for metrics\.topK\[0\], .* 1\.5/],
  [
    'more classes than there are',
    { metrics: { topK: [5] } },
    /^topK asks for the first 5 classes, of 4; ask for 1 to 4/,
  ],
  ['yes for true', { metrics: { perClass: 'yes' } }, /true or false for metrics\.perClass, .* "yes"/],
  ['a confusion of 1', { metrics: { confusion: 1 } }, /true or false for metrics\.confusion, .* 1/],
  [
    'a loss of targets',
    { metrics: {}, loss: meanSquaredError() },
    /softmaxCrossEntropy\(\), as metrics count images by their class, for loss, .* \{ kind: 'meanSquaredError' \}/,
  ],
  ['yes-or-no answers', { metrics: { topK: [1] }, loss: sigmoidCrossEntropy() }, /for loss, .* 'sigmoidCrossEntropy'/],
]

for (const [what, given, message] of refusals) {
  test(`${what}: refused`, async (t) => {
    const [net, data] = [await mirror(), await byHand()]
    const expected = { code: 'INVALID_ARGUMENT', message } as const
    await t.throwsAsync(evaluate(net, data, given), expected)
    await t.throwsAsync(epochs(net, data, { test: data, ...given }), expected)
  })
}

test('of a fit that evaluates nothing, nothing can be counted', async (t) => {
  const [net, data] = [await mirror(), await byHand()]
  t.throws(() => fit(net, data, { ...options, metrics: { topK: [1] } }), {
    code: 'INVALID_ARGUMENT',
    message: /^Expected a Dataset or a share, or one for test, .* for validation, but received undefined\.$/,
  })
})
