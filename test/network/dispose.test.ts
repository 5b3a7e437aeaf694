import test from 'ava'
import { arrayDataset, type Dataset, dense, evaluate, fit, Sequential, sgd, step } from 'candlewick'

const disposed = { name: 'CandlewickError', code: 'DISPOSED' }
const images = (n: number) => ({ data: new Uint8Array(n * 4).fill(100), shape: [n, 1, 2, 2] })

async function network(): Promise<Sequential> {
  const net = new Sequential([dense({ units: 3 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1 })
  return net
}

function dataset(n: number): Promise<Dataset> {
  return arrayDataset({ images: images(n), labels: new Uint8Array(n) })
}

test('a network that was disposed of refuses every call, with a sentence', async (t) => {
  const net = await network()
  const data = await dataset(10)
  await net.dispose()
  const optimizer = sgd({ learningRate: 0.1 })
  for (const call of [
    () => net.predict(images(1)),
    () => net.parameters(),
    () => net.saveParameters('x'),
    () => net.loadParameters('x'),
    () => net.initialize({ inputShape: [1, 2, 2], forceReinit: true }),
    () => step(net, images(1), [0], optimizer),
    () => evaluate(net, data),
    () => fit(net, data, { epochs: 1, batchSize: 1, optimizer }).next(),
  ]) {
    await t.throwsAsync(call, { ...disposed, message: /^The network was disposed of; make a new one/ })
  }
  t.throws(() => net.device, disposed)
  await t.throwsAsync(net.initialize({ inputShape: [1, 2, 2] }), disposed, 'rather than that it is initialized')
  await t.notThrowsAsync(net.dispose(), 'twice is as good as once')
  t.deepEqual(net.describe([1, 2, 2])[0]?.outputShape, [1, 3], 'what needs no parameters needs no life')
})

test('what is in line when a network is disposed of is answered first', async (t) => {
  const net = await network()
  const expected = await net.predict(images(20_000))
  const answers = [1, 20_000, 1].map((n) => net.predict(images(n)))
  const gone = net.dispose()
  const [first, many] = await Promise.all(answers)
  t.deepEqual(many?.logits, expected.logits)
  t.is(first?.labels.length, 1)
  await gone
})

test('a lazily initialized network can be disposed of before, while and after its engine is made', async (t) => {
  const lazy = async () => {
    const net = new Sequential([dense({ units: 3 })])
    await net.initialize({ device: 'cpu', seed: 1 })
    return net
  }
  const before = await lazy()
  await before.dispose()
  await t.throwsAsync(before.predict(images(1)), disposed)
  const during = await lazy()
  const settled: string[] = []
  const answer = during.predict(images(1)).then(({ labels }) => settled.push(`${labels.length} label`))
  await during.dispose().then(() => settled.push('disposed of'))
  await answer
  t.deepEqual(settled, ['1 label', 'disposed of'])
  await t.throwsAsync(during.predict(images(1)), disposed)
})

test('a training and an evaluation end with their network', async (t) => {
  const data = await dataset(200_000)
  const net = await network()
  const options = { epochs: 1_000_000, batchSize: 16, optimizer: sgd({ learningRate: 0.1 }) }
  const training = (async () => {
    for await (const _ of fit(net, data, { ...options, onProgress: () => void net.dispose() }));
  })()
  await t.throwsAsync(training, disposed)
  const other = await network()
  const evaluations = Array.from({ length: 50 }, () => evaluate(other, data))
  const settled = Promise.allSettled(evaluations)
  await other.dispose()
  const last = (await settled).at(-1)
  t.is(last?.status, 'rejected')
  t.is((last as PromiseRejectedResult).reason.code, 'DISPOSED')
})

test('an initialize that is under way ends with its network', async (t) => {
  const net = new Sequential([dense({ units: 3 })])
  const initializing = net.initialize({ inputShape: [1, 2, 2], device: 'cpu' })
  await net.dispose()
  await t.throwsAsync(initializing, disposed)
})

test('forceReinit answers those in line from the parameters before', async (t) => {
  const net = await network()
  const before = await net.predict(images(20_000))
  const data = await dataset(300_000)
  const loss = (await evaluate(net, data)).loss
  const calls = [net.predict(images(20_000)), evaluate(net, data), evaluate(net, data)] as const
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 2, forceReinit: true })
  const [answer, ...evaluations] = await Promise.all(calls)
  t.deepEqual(answer.logits, before.logits)
  t.deepEqual(
    evaluations.map((evaluation) => evaluation.loss),
    [loss, loss],
    'long work is not ended by it',
  )
  t.notDeepEqual((await net.predict(images(20_000))).logits, before.logits)
})

test('a dataset that was disposed of is gone with its slices', async (t) => {
  const data = await dataset(10)
  const slice = data.slice(2, 5)
  const batches = data.batches({ batchSize: 3 })
  t.is(batches.next().value?.labels.length, 3)
  slice.dispose()
  const net = await network()
  const expected = { ...disposed, message: /^The dataset was disposed of, with all its slices; load it again/ }
  for (const call of [() => data.images(), () => slice.labels(), () => batches.next(), () => data.slice(1).images()]) {
    t.throws(call, expected)
  }
  await t.throwsAsync(evaluate(net, data), expected)
  const options = { epochs: 1, batchSize: 1, optimizer: sgd({ learningRate: 0.1 }) }
  await t.throwsAsync(fit(net, data, options).next(), expected)
  t.notThrows(() => data.dispose(), 'twice is as good as once')
  t.deepEqual([data.length, data.imageShape], [10, [1, 2, 2]], 'what it was is known still')
})

test('an evaluation that has begun goes on without its dataset', async (t) => {
  const data = await dataset(100_000)
  const net = await network()
  const evaluation = evaluate(net, data)
  await new Promise(setImmediate)
  data.dispose()
  t.is((await evaluation).count, 100_000)
})

test('using declarations find what they look for', async (t) => {
  const [net, other, data] = [await network(), await network(), await dataset(10)]
  net[Symbol.dispose]()
  await other[Symbol.asyncDispose]()
  data[Symbol.dispose]()
  for (const each of [net, other]) await t.throwsAsync(each.predict(images(1)), disposed)
  t.throws(() => data.labels(), disposed)
  const proxy = new Proxy(await network(), {})
  t.throws(() => proxy[Symbol.dispose](), { code: 'INVALID_ARGUMENT', message: /proxy/ })
})

test('what only inherits from a network or a dataset is none', async (t) => {
  const [net, data] = [await network(), await dataset(3)]
  const message = /not what inherits from/
  for (const heir of [Object.create(net), Object.create(Sequential.prototype)]) {
    await t.throwsAsync(async () => heir.predict(images(1)), { code: 'INVALID_ARGUMENT', message })
    await t.throwsAsync(async () => evaluate(heir, data), { code: 'INVALID_ARGUMENT', message })
    t.throws(() => heir[Symbol.dispose](), { code: 'INVALID_ARGUMENT', message })
  }
  const heir = Object.create(Object.getPrototypeOf(data))
  t.throws(() => heir.images(), { code: 'INVALID_ARGUMENT', message })
  await t.throwsAsync(async () => evaluate(net, heir), { code: 'INVALID_ARGUMENT', message })
  t.is((await evaluate(net, data)).count, 3)
})
