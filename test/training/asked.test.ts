/** A network in training is asked, copied and changed: between two steps, or between two epochs. */

import test from 'ava'
import {
  conv2d,
  type Dataset,
  dense,
  type Epoch,
  type EpochProgress,
  fashionMnist,
  fit,
  type Images,
  maxPool2d,
  type Prediction,
  Sequential,
  sgd,
  step,
} from 'candlewick'

let train: Dataset
let few: Images

test.before(async () => {
  const data = await fashionMnist()
  train = data.train.slice(0, 20_000)
  few = data.test.images(0, 3)
})

async function network(): Promise<Sequential> {
  const net = new Sequential([
    conv2d({ channels: 16, kernelSize: 5 }),
    maxPool2d({ poolSize: 2 }),
    dense({ units: 10 }),
  ])
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  return net
}

const batchSize = 50

async function trained(net: Sequential, meanwhile?: () => Promise<unknown>, epochs = 1): Promise<Epoch[]> {
  const all: Epoch[] = []
  const run = fit(net, train, { epochs, batchSize, optimizer: sgd({ learningRate: 0.05, momentum: 0.9 }) })
  for (;;) {
    const next = run.next()
    await meanwhile?.()
    const { value, done } = await next
    if (done) return all
    all.push(value as Epoch)
  }
}

const bits = (answers: Prediction) => answers.logits.join()

test('a network in training answers between its steps, and trains to the same bits', async (t) => {
  const [alone, asked] = [await network(), await network()]
  const expected = await trained(alone)
  const answers = new Set<string>()
  let asking = 0
  const epochs = await trained(asked, async () => {
    if (asking > 0) return
    for (; asking < 40; asking++) answers.add(bits(await asked.predict(few)))
  })
  t.true(answers.size > 20, `${answers.size} different answers while an epoch trained`)
  t.deepEqual(await asked.parameters(), await alone.parameters())
  t.deepEqual(
    epochs.map(({ loss, trainAcc }) => [loss, trainAcc]),
    expected.map(({ loss, trainAcc }) => [loss, trainAcc]),
  )
})

test('answers of a network in training are those of one step', async (t) => {
  const net = await network()
  const seen: { copy: Sequential; answer: string }[] = []
  await trained(net, async () => {
    if (seen.length > 0) return
    const [copy, answer] = await Promise.all([net.clone(), net.predict(few)])
    seen.push({ copy, answer: bits(answer) })
  })
  // Both were in line when the same step ended, and nothing was between them.
  for (const { copy, answer } of seen) t.is(bits(await copy.predict(few)), answer)
})

test('a clone is a network of its own', async (t) => {
  const net = await network()
  const clone = await net.clone()
  t.deepEqual(await clone.parameters(), await net.parameters())
  t.deepEqual([clone.seed, clone.device, JSON.stringify(clone)], [net.seed, net.device, JSON.stringify(net)])
  const before = bits(await clone.predict(few))
  await trained(net)
  t.is(bits(await clone.predict(few)), before)
  await net.dispose()
  t.is(bits(await clone.predict(few)), before)
})

test('parameters are set from those of another network, all or none', async (t) => {
  const [net, other] = [await network(), await network()]
  await trained(other)
  const parameters = await other.parameters()
  await net.setParameters(parameters)
  t.deepEqual(await net.parameters(), parameters)
  const { 'dense0.bias': bias, ...rest } = parameters
  const refused = async (given: unknown, message: RegExp) => {
    await t.throwsAsync(net.setParameters(given as never), { code: 'INVALID_ARGUMENT', message })
  }
  await refused(rest, /Expected a parameter of shape \(10\).* for parameters\["dense0.bias"\], but received undefined/)
  await refused({ ...parameters, more: bias }, /Unknown option "more" for parameters/)
  await refused({ ...rest, 'dense0.bias': { shape: [9], data: new Float32Array(9) } }, /shape \(10\)/)
  await refused({ ...rest, 'dense0.bias': { shape: [10], data: [] } }, /a Float32Array of length 10/)
  await refused(null, /an object/)
  t.deepEqual(await net.parameters(), parameters)
})

test('between two epochs parameters may be replaced and steps made by hand', async (t) => {
  const net = await network()
  const first = await net.parameters()
  const optimizer = sgd({ learningRate: 0.05 })
  const losses: number[] = []
  for await (const { loss } of fit(net, train.slice(0, 500), { epochs: 3, batchSize, optimizer, shuffle: false })) {
    losses.push(loss)
    await step(net, few, [1, 2, 3], optimizer)
    await net.setParameters(first)
  }
  t.is(losses[1], losses[0])
  t.is(losses[2], losses[0])
})

test('what is called between two epochs comes before the next, though nobody waits for it', async (t) => {
  const net = await network()
  const first = await net.parameters()
  const losses: number[] = []
  const settings = { epochs: 3, batchSize, optimizer: sgd({ learningRate: 0.05 }), shuffle: false }
  for await (const { loss } of fit(net, train.slice(0, 500), settings)) {
    losses.push(loss)
    void net.setParameters(first)
  }
  t.deepEqual(losses.slice(1), [losses[0], losses[0]])
})

test('a network that is initialized anew between two epochs ends the fit', async (t) => {
  const net = await network()
  const run = fit(net, train.slice(0, 500), { epochs: 3, batchSize, optimizer: sgd({ learningRate: 0.05 }) })
  await run.next()
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', forceReinit: true })
  await t.throwsAsync(() => run.next(), { code: 'BUSY', message: /initialized anew between two epochs/ })
})

test('who trains a network between the epochs of a fit stops that', async (t) => {
  const net = await network()
  const settings = { epochs: 2, batchSize, optimizer: sgd({ learningRate: 0.05 }) }
  const outer = fit(net, train.slice(0, 500), settings)
  await outer.next()
  const inner = fit(net, train.slice(0, 500), settings)
  const running = inner.next()
  await t.throwsAsync(() => outer.next(), { code: 'BUSY' })
  await running
  await t.throwsAsync(() => Promise.all([inner.next(), net.setParameters({})]), { code: 'BUSY' })
})

test('a learning rate that is set is that of the next epoch, and the velocity stays', async (t) => {
  const [once, changed] = [await network(), await network()]
  const rates: number[] = []
  const optimizer = sgd({ learningRate: 0.05, momentum: 0.9 })
  const data = train.slice(0, 1000)
  for await (const epoch of fit(changed, data, { epochs: 2, batchSize, optimizer })) {
    rates.push(epoch.learningRate)
    optimizer.learningRate = 0.01
  }
  t.deepEqual(rates, [0.05, 0.01])
  const learningRate = (step: number) => (step < 20 ? 0.05 : 0.01)
  const scheduled = sgd({ learningRate, momentum: 0.9 })
  for await (const _ of fit(once, data, { epochs: 2, batchSize, optimizer: scheduled }));
  t.deepEqual(await changed.parameters(), await once.parameters())
})

test('progress tells the loss so far, the rate and the pace', async (t) => {
  const told: EpochProgress[] = []
  const settings = { epochs: 1000, batchSize, optimizer: sgd({ learningRate: 0.05 }) }
  const net = await network()
  const run = fit(net, train, { ...settings, onProgress: (progress) => told.push(progress) })
  let value: unknown
  while (told.length === 0) value = (await run.next()).value // an epoch may be shorter than it takes to be told of
  t.true(told.length > 0)
  const last = told.at(-1) as EpochProgress
  t.true(
    told.every(({ loss, learningRate, imagesPerSecond }) => loss > 0 && learningRate === 0.05 && imagesPerSecond > 0),
  )
  t.true(last.images > 0)
  t.true(Math.abs(last.loss - (value as Epoch).loss) < 1)
  await run.return()
})

test('a training that diverges says where', async (t) => {
  const net = await network()
  const run = fit(net, train, { epochs: 3, batchSize, optimizer: sgd({ learningRate: 1e30 }) })
  const message =
    /^The training diverged in epoch 1: the loss of step \d+ is (NaN|infinite), at a learning rate of 1e\+?30: .*clipNorm\.$/
  await t.throwsAsync(() => run.next(), { code: 'DIVERGED', message })
})

test('a flood of predictions does not drown a training', async (t) => {
  const net = await network()
  const data = train.slice(0, 4000)
  const many: Images = { data: new Float32Array(500 * 784), shape: [500, 1, 28, 28] }
  let isOver = false
  const flood = async () => {
    while (!isOver) {
      void net.predict(many).catch(() => {}) // more than it can answer
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
  const flooding = flood()
  for await (const { loss } of fit(net, data, { epochs: 1, batchSize, optimizer: sgd({ learningRate: 0.05 }) }))
    t.true(loss > 0)
  isOver = true
  await flooding
  await net.dispose()
})
