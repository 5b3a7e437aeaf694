import test from 'ava'
import {
  adam,
  arrayDataset,
  batchNorm,
  dense,
  type FindLearningRateOptions,
  findLearningRate,
  meanSquaredError,
  type Run,
  Sequential,
  sgd,
  step,
} from 'candlewick'
import { linear, stripes, train } from './stripes.js'

const find = async (net: Sequential, options: Partial<FindLearningRateOptions> = {}) => {
  return findLearningRate(net, await stripes(200), { batchSize: 10, ...options })
}

test('rates grow exponentially, and the loss is smoothed without its pull to 0', async (t) => {
  const { rates, losses, smoothed } = await find(await linear(), { from: 1e-4, to: 1, steps: 41 })
  t.is(rates.length, 41)
  for (const [i, rate] of rates.entries()) t.true(Math.abs(Math.log10(rate) - (-4 + i / 10)) < 1e-9)
  t.is(losses.length, 41)
  // As the mean of all losses so far, each weighing 0.98 of the next.
  for (const i of [0, 1, 20, 40]) {
    const weights = losses.slice(0, i + 1).map((_, j) => 0.98 ** (i - j))
    const sum = losses.slice(0, i + 1).reduce((sum, loss, j) => sum + loss * (weights[j] as number), 0)
    const mean = sum / weights.reduce((a, b) => a + b)
    t.true(Math.abs((smoothed[i] as number) - mean) < 1e-9, `smoothed ${i}`)
  }
})

test('the losses are those of steps at these rates, over as many epochs as it takes', async (t) => {
  const data = (await stripes(200)).slice(0, 10)
  const [net, other] = [await linear(), await linear()]
  const { rates, losses } = await findLearningRate(net, data, { batchSize: 10, from: 1e-3, to: 0.5, steps: 12 })
  const all = data.images()
  for (const [i, learningRate] of rates.entries()) {
    const { loss } = await step(other, all, data.labels(), sgd({ learningRate }))
    t.true(Math.abs(loss - (losses[i] as number)) < 1e-4, `step ${i}`)
  }
})

test('it ends where the smoothed loss is four times its least, or no number', async (t) => {
  const targets = { data: Float32Array.from({ length: 100 }, (_, i) => i % 3), shape: [100, 1] as const }
  const images = { data: Uint8Array.from({ length: 3600 }, (_, i) => (i * 7919) % 251), shape: [100, 1, 6, 6] }
  const data = await arrayDataset({ images, targets })
  const net = new Sequential([dense({ units: 1 })])
  await net.initialize({ device: 'cpu', seed: 1 })
  const loss = meanSquaredError()
  const { rates, smoothed, suggestion } = await findLearningRate(net, data, {
    batchSize: 10,
    loss,
    from: 1e-5,
    to: 1e5,
  })
  t.true(rates.length < 100)
  const least = Math.min(...smoothed)
  t.true((smoothed.at(-1) as number) > 4 * least)
  t.true(smoothed.slice(0, -1).every((loss, i) => loss <= 4 * Math.min(...smoothed.slice(0, i + 1))))
  t.true(rates.includes(suggestion) && suggestion <= (rates[smoothed.indexOf(least)] as number))
  const far = await findLearningRate(net, data, { batchSize: 10, loss, from: 1e36, to: 3e38, steps: 10 })
  t.true(far.losses.every(Number.isFinite))
})

test('the suggestion is where the smoothed loss falls the most steeply before its least', async (t) => {
  const { rates, smoothed, suggestion } = await find(await linear(), { batchSize: 50, from: 1e-5, to: 10, steps: 60 })
  t.is(rates.length, 60)
  const least = smoothed.indexOf(Math.min(...smoothed.slice(6)))
  // Over a tenth of the steps, of which each is as long as another in the logarithm of the rate.
  const falls = rates.map((_, i) => {
    const [from, to] = [Math.max(i - 3, 0), Math.min(i + 3, 59)]
    return ((smoothed[from] as number) - (smoothed[to] as number)) / (to - from)
  })
  const most = Math.max(...falls.slice(6, least + 1))
  t.true(Math.abs((falls[rates.indexOf(suggestion)] as number) - most) < 1e-12)
  t.true(suggestion > 1e-3 && suggestion < 5, `${suggestion}`)
})

test('where the loss never falls, the suggestion is a tenth of the rate of its least', async (t) => {
  // One image, which the network is sure of already: nothing is to be learned.
  const images = { data: new Uint8Array(36), shape: [1, 1, 6, 6] }
  const data = await arrayDataset({ images, labels: [0] })
  const net = new Sequential([dense({ units: 1 })])
  await net.initialize({ device: 'cpu', seed: 1 })
  const { suggestion, smoothed, rates } = await findLearningRate(net, data, {
    batchSize: 1,
    from: 1,
    to: 10,
    steps: 10,
  })
  t.deepEqual(new Set(smoothed), new Set([0]))
  t.is(suggestion, (rates[1] as number) / 10, 'of those after the first tenth')
})

test('parameters, statistics and orders are as before, also after an error', async (t) => {
  const made = async () => {
    const net = new Sequential([batchNorm(), dense({ units: 2 })])
    await net.initialize({ inputShape: [1, 6, 6], device: 'cpu', seed: 1 })
    return net
  }
  const net = await made()
  const before = await net.parameters()
  t.true('norm0.running_mean' in before || Object.keys(before).length > 4, Object.keys(before).join())
  await find(net, { steps: 50, to: 1 })
  t.deepEqual(await net.parameters(), before)
  const other = await made()
  for (const one of [net, other]) await train(one, { epochs: 2 })
  t.deepEqual(await net.parameters(), await other.parameters(), 'a training after it is as if there had been none')
  const trained = await net.parameters()
  const data = await arrayDataset({ images: { data: new Uint8Array(72), shape: [2, 1, 6, 6] }, labels: [0, 5] })
  await t.throwsAsync(findLearningRate(net, data, { batchSize: 1 }), { code: 'LABEL_OUT_OF_RANGE' })
  t.deepEqual(await net.parameters(), trained)
})

test('a seed decides the order; the network has one', async (t) => {
  const options = { steps: 10, to: 1 }
  const own = await find(await linear(), options)
  t.deepEqual(await find(await linear(), options), own)
  t.deepEqual(await find(await linear(), { ...options, seed: 1 }), own)
  t.notDeepEqual(await find(await linear(), { ...options, seed: 2 }), own)
})

test('any optimiser will do, whatever its rate, and a network that waits for its images', async (t) => {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ device: 'cpu', seed: 1 })
  const options = { steps: 20, from: 1e-4, to: 1 }
  const found = await find(net, { ...options, optimizer: adam({ learningRate: 55 }) })
  t.is(found.rates[0], 1e-4)
  t.notDeepEqual(found.losses, (await find(net, options)).losses)
})

test('options are checked before anything is trained', async (t) => {
  for (const [options, message] of [
    [{ batchSize: 0 }, /batchSize/],
    [{ from: 0 }, /a finite number above 0 for from/],
    [{ from: 1, to: 1 }, /above from, 1, for to, but received 1/],
    [{ to: Number.POSITIVE_INFINITY }, /to/],
    [{ steps: 9 }, /at least 10 for steps/],
    [{ seed: -1 }, /seed/],
    [{ optimizer: 5 }, /optimizer/],
    [{ optimizer: { kind: 'x' } }, /optimizer/],
    [{ loss: 5 }, /loss/],
    [{ loss: null }, /loss/],
    [{ epochs: 1 }, /"epochs" for findLearningRate/],
  ] as [object, RegExp][]) {
    const net = await linear()
    const before = await net.parameters()
    await t.throwsAsync(find(net, options), { code: 'INVALID_ARGUMENT', message })
    t.deepEqual(await net.parameters(), before)
  }
  const data = await stripes(10)
  await t.throwsAsync(findLearningRate(5 as never, data, { batchSize: 1 }), { message: /net/ })
  await t.throwsAsync(findLearningRate(await linear(), 5 as never, { batchSize: 1 }), { message: /train/ })
})

test('a network that is trained is left alone', async (t) => {
  const onEpoch = (_: unknown, { net }: Run) => find(net)
  await t.throwsAsync(train(await linear(), { onEpoch }), { code: 'BUSY' })
})

test('parameters without a finite loss are refused', async (t) => {
  const net = await linear()
  await step(net, (await stripes(10)).images(), (await stripes(10)).labels(), sgd({ learningRate: 3e38 }))
  await step(net, (await stripes(10)).images(), (await stripes(10)).labels(), sgd({ learningRate: 3e38 }))
  await t.throwsAsync(find(net), { code: 'INVALID_ARGUMENT', message: /not finite before the first step/ })
})
