import { getEventListeners } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import {
  arrayDataset,
  conv2d,
  type Dataset,
  dense,
  type Epoch,
  type EpochProgress,
  evaluate,
  type FitOptions,
  fashionMnist,
  fit,
  lenet,
  type Parameter,
  Sequential,
  sgd,
  step,
} from 'candlewick'
import { shuffler } from '#dist/random.js'

let train: Dataset
let testData: Dataset

test.before(async () => {
  const data = await fashionMnist()
  train = data.train
  testData = data.test
})

/** One dense layer: learns fast. */
async function linear(seed = 1): Promise<Sequential> {
  const net = new Sequential([dense({ units: 10 })])
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed })
  return net
}

const options: FitOptions = { epochs: 1, batchSize: 64, optimizer: sgd({ learningRate: 0.1 }) }

async function epochs(net: Sequential, data: Dataset, changes: Partial<FitOptions> = {}): Promise<Epoch[]> {
  const all: Epoch[] = []
  for await (const epoch of fit(net, data, { ...options, ...changes })) all.push(epoch)
  return all
}

/** Parameters after a step on each batch of `part`, epoch for epoch in the orders of `seed`. */
async function stepwise(part: Dataset, seed: number, epochs: number): Promise<Record<string, Parameter>> {
  const net = await linear()
  const nextOrder = shuffler(seed)
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = await nextOrder(part.length, 0)
    for (const { images, labels } of part.batches({ batchSize: 64, order })) {
      await step(net, images, labels, options.optimizer)
    }
  }
  return net.parameters()
}

test('each epoch takes the images in the next order of its seed', async (t) => {
  const part = train.slice(50, 250)
  const [own, given] = [await linear(), await linear()]
  await epochs(own, part, { epochs: 2 })
  await epochs(given, part, { epochs: 2, seed: 9 })
  t.deepEqual(await own.parameters(), await stepwise(part, own.seed, 2))
  t.deepEqual(await given.parameters(), await stepwise(part, 9, 2))
})

test('a second fit goes on in the orders of the network, and begins anew in those of a seed of its own', async (t) => {
  const part = train.slice(0, 200)
  const [once, twice, between, again] = [await linear(), await linear(), await linear(), await linear()]
  await epochs(once, part, { epochs: 2 })
  await epochs(twice, part)
  await epochs(twice, part)
  t.deepEqual(await twice.parameters(), await once.parameters())
  await epochs(between, part)
  await epochs(between, part, { seed: 9, optimizer: sgd({ learningRate: 0 }) })
  await epochs(between, part)
  t.deepEqual(await between.parameters(), await once.parameters(), "a seed of a fit's own leaves the network's alone")
  await epochs(again, part, { seed: 1 })
  await epochs(again, part, { seed: 1 })
  t.notDeepEqual(await again.parameters(), await once.parameters())
})

test('a network that is initialized again begins with the orders of its seed', async (t) => {
  const part = train.slice(0, 200)
  const [net, fresh, other] = [await linear(5), await linear(1), await linear(1)]
  await epochs(net, part)
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1, forceReinit: true })
  await epochs(net, part)
  await epochs(fresh, part)
  t.deepEqual(await net.parameters(), await fresh.parameters())
  await epochs(other, part, { seed: 5 })
  t.notDeepEqual(await other.parameters(), await fresh.parameters(), 'orders are seen in the parameters')
})

test('two networks that train at once are each as if alone, in every parameter', async (t) => {
  const part = train.slice(0, 3000)
  const trained = async (seed: number, threads: number) => {
    const net = lenet()
    await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed, threads })
    await epochs(net, part)
    return net.parameters()
  }
  const alone = [await trained(1, 2), await trained(2, 1)]
  t.deepEqual(await Promise.all([trained(1, 2), trained(2, 1)]), alone)
})

test.serial('seconds are seconds, of training and of evaluation', async (t) => {
  const net = await linear()
  const begin = performance.now()
  const all = await epochs(net, train, { epochs: 2, test: train })
  const elapsed = (performance.now() - begin) / 1000
  let sum = 0
  for (const { trainSeconds, evalSeconds } of all) {
    t.true(trainSeconds > 0 && evalSeconds !== undefined && evalSeconds > 0)
    sum += trainSeconds + (evalSeconds ?? 0)
  }
  t.true(sum <= elapsed, `${sum} of ${elapsed} seconds`)
  t.true(sum >= elapsed / 10, `${sum} of ${elapsed} seconds`)
})

test.serial('nearly all the time of an epoch is in its seconds', async (t) => {
  const net = lenet()
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  const [few, many] = [train.slice(0, 64), train.slice(0, 20_000)]
  const timed = async (part: Dataset, changes: Partial<FitOptions>) => {
    const begin = performance.now()
    const [epoch] = await epochs(net, part, changes)
    return { epoch, elapsed: (performance.now() - begin) / 1000 }
  }
  const training = await timed(many, {})
  t.true((training.epoch?.trainSeconds ?? 0) > training.elapsed / 5)
  t.deepEqual([training.epoch?.testAcc, training.epoch?.evalSeconds], [undefined, undefined])
  const evaluation = await timed(few, { test: many })
  t.true((evaluation.epoch?.evalSeconds ?? 0) > evaluation.elapsed / 5)
})

test("an epoch's figures are those of its steps and of an evaluation after it", async (t) => {
  const part = train.slice(0, 150)
  const [net, other] = [await linear(), await linear()]
  const all = await epochs(net, part, { epochs: 2, shuffle: false, test: testData.slice(0, 500) })
  t.deepEqual(
    all.map(({ epoch }) => epoch),
    [1, 2],
  )
  for (const { loss, trainAcc, testAcc } of all) {
    let [sum, right] = [0, 0]
    for (const { images, labels } of part.batches({ batchSize: 64 })) {
      const figures = await step(other, images, labels, options.optimizer)
      sum += figures.loss * labels.length
      right += figures.correct
    }
    t.true(Math.abs(loss - sum / 150) < 1e-6, `loss ${loss}`)
    t.is(trainAcc, right / 150)
    const evaluation = await evaluate(other, testData.slice(0, 500))
    t.is(testAcc, evaluation.accuracy)
    t.is(evaluation.accuracy, evaluation.correct / evaluation.count)
  }
})

test('progress counts the images of its epoch', async (t) => {
  const reports: EpochProgress[] = []
  const net = lenet()
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  const onProgress = (progress: EpochProgress) => reports.push(progress)
  // As many epochs as it takes for three reports: how many that is depends on the machine.
  for await (const { epoch } of fit(net, train.slice(0, 20_000), { ...options, epochs: 1000, onProgress })) {
    t.true(reports.every((report) => report.epoch <= epoch && report.total === 20_000))
    if (reports.length >= 3) break
  }
  t.true(reports.every(({ images }) => Number.isInteger(images) && images >= 0 && images <= 20_000))
  t.true(reports.some(({ images }) => images > 0))
})

test('progress is told of epochs that are shorter than its interval too', async (t) => {
  const reports: EpochProgress[] = []
  const begin = performance.now()
  const times: number[] = []
  const onProgress = (progress: EpochProgress) => {
    reports.push(progress)
    times.push(performance.now())
  }
  for await (const _ of fit(await linear(), train.slice(0, 10), { ...options, epochs: 1_000_000, onProgress })) {
    if (reports.length >= 3 || performance.now() - begin > 30_000) break
  }
  t.is(reports.length, 3)
  t.true((times[2] as number) - (times[0] as number) >= 150, 'about ten times a second')
  t.deepEqual(new Set(reports.map(({ total }) => total)), new Set([10]))
  t.true(reports.every(({ epoch }, i) => epoch > (reports[i - 1]?.epoch ?? 0)))
})

test.serial('what onProgress throws is not lost where the epoch is done before it can be ended', async (t) => {
  const net = lenet()
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  let calls = 0
  const onProgress = () => {
    if (++calls > 1) return
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000) // the training goes on meanwhile
    throw new Error('mine')
  }
  await t.throwsAsync(epochs(net, train.slice(0, 10_000), { epochs: 3, onProgress }), { message: 'mine' })
})

test('no listener stays on a signal, however the work ends', async (t) => {
  const { signal } = new AbortController()
  const net = await linear()
  const part = train.slice(0, 300)
  await epochs(net, part, { epochs: 3, test: part, signal })
  t.is(getEventListeners(signal, 'abort').length, 0, 'after a fit')
  await evaluate(net, part, { signal })
  t.is(getEventListeners(signal, 'abort').length, 0, 'after an evaluation')
  for await (const _ of fit(net, part, { ...options, epochs: 3, signal })) break
  t.is(getEventListeners(signal, 'abort').length, 0, 'after a loop that was left')
  const onProgress = () => {
    throw new Error('enough')
  }
  await t.throwsAsync(epochs(net, train, { epochs: 1000, signal, onProgress }), { message: 'enough' })
  t.is(getEventListeners(signal, 'abort').length, 0, 'after a failure')
  const unfit = await arrayDataset({ images: { data: new Uint8Array(4), shape: [1, 1, 2, 2] }, labels: [0] })
  await t.throwsAsync(evaluate(net, unfit, { signal }), { code: 'INVALID_SHAPE' })
  t.is(getEventListeners(signal, 'abort').length, 0, 'after an evaluation that failed')
})

test('no listener stays on a signal that was given', async (t) => {
  const controller = new AbortController()
  const onProgress = () => controller.abort()
  const aborted = epochs(await linear(), train, { epochs: 1000, signal: controller.signal, onProgress })
  await t.throwsAsync(aborted, { any: true, name: 'AbortError' })
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
})

test('an evaluation is aborted while it runs', async (t) => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const net = lenet()
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1, threads: 1 })
  // Many in line: the first may be done before the signal comes, the last not.
  const running = Array.from({ length: 10 }, () => evaluate(net, train, { signal: controller.signal }))
  setTimeout(() => controller.abort(reason), 1)
  const results = await Promise.allSettled(running)
  const last = results.at(-1)
  t.is(last?.status === 'rejected' ? last.reason : last, reason)
  t.is(getEventListeners(controller.signal, 'abort').length, 0)
})

test('a fit that is aborted in an evaluation ends there', async (t) => {
  const net = new Sequential([conv2d({ channels: 32, kernelSize: 5 }), dense({ units: 10 })])
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1, threads: 1 })
  const controller = new AbortController()
  const reason = new Error('enough')
  // The training listens first, then the evaluation, which takes long for 60,000 images.
  const { signal } = controller
  const listen = signal.addEventListener.bind(signal) as (...args: unknown[]) => void
  let listeners = 0
  signal.addEventListener = (...args: unknown[]) => {
    listen(...args)
    if (++listeners === 2) setTimeout(() => controller.abort(reason), 20)
  }
  const fitted = epochs(net, train.slice(0, 8), { batchSize: 8, test: train, signal })
  await t.throwsAsync(fitted, { is: reason })
})

test('a signal that was given before leaves a network without parameters as it was', async (t) => {
  const net = new Sequential([dense({ units: 10 })])
  await net.initialize({ device: 'cpu', seed: 1 })
  const reason = new Error('enough')
  await t.throwsAsync(epochs(net, train, { signal: AbortSignal.abort(reason) }), { is: reason })
  await t.throwsAsync(net.parameters(), { code: 'NOT_INITIALIZED' })
})

test('a fit, a step and an evaluation each make the parameters that wait for a shape', async (t) => {
  const expected = await (await linear()).parameters()
  const still = { ...options, optimizer: sgd({ learningRate: 0 }) }
  const works = [
    (net: Sequential) => epochs(net, train.slice(0, 10), still),
    (net: Sequential) => step(net, train.images(0, 2), [9, 0], still.optimizer),
    (net: Sequential) => evaluate(net, train.slice(0, 10)),
  ]
  for (const work of works) {
    const net = new Sequential([dense({ units: 10 })])
    await net.initialize({ device: 'cpu', seed: 1 })
    await work(net)
    t.deepEqual(await net.parameters(), expected)
    t.deepEqual(net.layers[0]?.outputShape, [1, 10])
  }
})

test('what is no network or no dataset is refused by name', async (t) => {
  const [net, other] = [await linear(), { layers: [] } as unknown as Sequential]
  const none = [] as unknown as Dataset
  const refused = (message: RegExp) => ({ code: 'INVALID_ARGUMENT', message })
  await t.throwsAsync(epochs(other, train), refused(/a Sequential for net/))
  await t.throwsAsync(evaluate(other, train), refused(/a Sequential for net/))
  await t.throwsAsync(step(other, train.images(0, 1), [9], options.optimizer), refused(/a Sequential for net/))
  await t.throwsAsync(epochs(net, none), refused(/a Dataset.* for train/))
  await t.throwsAsync(epochs(net, train, { test: none }), refused(/a Dataset.* for test/))
  await t.throwsAsync(evaluate(net, none), refused(/a Dataset.* for dataset/))
  await t.throwsAsync(evaluate(net, train.slice(0, 0)), refused(/dataset has no images/))
  await t.throwsAsync(evaluate(net, train, { batchSize: 1 } as object), refused(/"batchSize" for evaluate; .*signal/))
})

test('a test set of another shape is refused before anything is trained', async (t) => {
  const net = await linear()
  const before = await net.parameters()
  const images = { data: new Uint8Array(36), shape: [4, 1, 3, 3] }
  const other = await arrayDataset({ images, labels: [0, 1, 2, 3] })
  const expected = { code: 'INVALID_SHAPE', message: /\(1, 3, 3\).*\(1, 28, 28\)/ }
  await t.throwsAsync(epochs(net, train, { test: other }), expected)
  t.deepEqual(await net.parameters(), before)
  await t.throwsAsync(epochs(net, train, { test: testData.slice(3, 3) }), { message: /test dataset has no images/ })
  t.deepEqual(await net.parameters(), before)
  t.is((await epochs(net, train.slice(0, 100))).length, 1, 'the network is free again')
})

/** Nanoseconds that each thread of candlewick's has had of a processor, by the thread's number. */
function threadTimes(): Map<string, number> {
  const times = new Map<string, number>()
  for (const thread of readdirSync('/proc/self/task')) {
    const of = (file: string) => readFileSync(`/proc/self/task/${thread}/${file}`, 'utf8')
    try {
      if (of('comm').startsWith('candlewick')) times.set(thread, Number(of('schedstat').split(' ')[0]))
    } catch {
      // The thread has ended meanwhile.
    }
  }
  return times
}

const serialOnLinux = process.platform === 'linux' ? test.serial : test.serial.skip

serialOnLinux('a network works on as many threads as it was given', async (t) => {
  for (const threads of [1, 2]) {
    const net = lenet()
    await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1, threads })
    const [before, begin] = [threadTimes(), performance.now()]
    await epochs(net, train.slice(0, 20_000), { batchSize: 256 })
    const elapsed = (performance.now() - begin) * 1e6
    const times = [...threadTimes()].map(([thread, time]) => time - (before.get(thread) ?? 0))
    const atWork = times.filter((time) => time > Math.max(...times) / 10)
    t.true(atWork.length >= threads, `of ${threads} threads, nanoseconds: ${times.join(', ')}`)
    const sum = times.reduce((a, b) => a + b)
    t.true(sum < 1.1 * threads * elapsed, `${sum} nanoseconds of work in ${elapsed} on ${threads} threads`)
  }
})

test('a promise of onProgress that is rejected ends the training, and nothing else', async (t) => {
  const net = new Sequential([dense({ units: 10 })])
  await net.initialize({ device: 'cpu', seed: 1 })
  const images = { data: new Uint8Array(2000 * 784), shape: [2000, 1, 28, 28] }
  const data = await arrayDataset({ images, labels: new Uint8Array(2000) })
  const unhandled: unknown[] = []
  const listen = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', listen)
  t.teardown(() => process.off('unhandledRejection', listen))
  const mine = new Error('mine')
  const onProgress = async () => {
    throw mine
  }
  const optimizer = sgd({ learningRate: 0.1 })
  const training = (async () => {
    for await (const _ of fit(net, data, { epochs: 1_000_000, batchSize: 16, optimizer, onProgress }));
  })()
  await t.throwsAsync(training, { is: mine })
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.deepEqual(unhandled, [])
})
