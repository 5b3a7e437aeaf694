import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import {
  arrayDataset,
  type Dataset,
  dense,
  type Epoch,
  type EpochProgress,
  evaluate,
  type FitOptions,
  fashionMnist,
  fit,
  formatEpoch,
  lenet,
  Sequential,
  sgd,
  step,
} from 'candlewick'

let train: Dataset
let testData: Dataset

test.before(async () => {
  const data = await fashionMnist()
  train = data.train
  testData = data.test
})

async function ready(seed = 1): Promise<Sequential> {
  const net = lenet()
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed })
  return net
}

/** One dense layer: learns fast. */
async function linear(seed = 1): Promise<Sequential> {
  const net = new Sequential([dense({ units: 10 })])
  await net.initialize({ device: 'cpu', seed })
  return net
}

async function epochs(net: Sequential, data: Dataset, options: Partial<FitOptions> = {}): Promise<Epoch[]> {
  const all: Epoch[] = []
  const optimizer = sgd({ learningRate: 0.1 })
  for await (const epoch of fit(net, data, { epochs: 1, batchSize: 64, optimizer, ...options })) all.push(epoch)
  return all
}

test('an epoch on a part of the images learns', async (t) => {
  const [first, second] = await epochs(await linear(), train.slice(0, 6000), { epochs: 2, test: testData })
  t.is(first?.epoch, 1)
  t.true(first !== undefined && second !== undefined && second.loss < first.loss)
  t.true((second?.testAcc ?? 0) > 0.7, `test acc ${second?.testAcc}`)
  t.deepEqual(Object.keys(second ?? {}), [
    'epoch',
    'loss',
    'trainAcc',
    'learningRate',
    'testLoss',
    'testAcc',
    'trainSeconds',
    'evalSeconds',
  ])
  const [alone] = await epochs(await linear(), train.slice(0, 100))
  t.deepEqual(Object.keys(alone ?? {}), ['epoch', 'loss', 'trainAcc', 'learningRate', 'trainSeconds'])
})

test('LeNet follows the losses that PyTorch computed', async (t) => {
  // The expected values are losses 0, 29 and 59 of the fixture, as `crates/candlewick/tests/pytorch.rs` holds all of them.
  const net = await ready()
  const fixture = join('crates', 'candlewick', 'tests', 'fixtures', 'lenet.safetensors')
  await net.loadParameters(fixture, { ignoreExtra: true })
  const optimizer = sgd({ learningRate: 0.9 })
  const losses: number[] = []
  for (const { images, labels } of train.slice(0, 60 * 256).batches({ batchSize: 256 })) {
    losses.push((await step(net, images, labels, optimizer)).loss)
  }
  t.is(losses.length, 60)
  for (const [i, expected] of Object.entries(expectedLosses)) {
    t.true(Math.abs((losses[Number(i)] as number) - expected) < 1e-4 * expected, `loss ${i}: ${losses[Number(i)]}`)
  }
})

const expectedLosses = { 0: 2.580533, 29: 2.365294, 59: 2.312686 }

test('a step on a batch of your own returns loss and correct answers, and lowers the loss', async (t) => {
  const net = await linear()
  const optimizer = sgd({ learningRate: 0.05 })
  const images = train.images(0, 17)
  const labels = train.labels(0, 17)
  const { labels: answers } = await net.predict(images)
  const first = await step(net, images, labels, optimizer)
  t.is(first.correct, [...answers].filter((answer, i) => answer === labels[i]).length)
  for (let i = 0; i < 20; i++) await step(net, images, Array.from(labels), optimizer)
  t.true((await step(net, images, labels, optimizer)).loss < first.loss)
})

test('evaluation counts what prediction answers', async (t) => {
  const net = await linear()
  await epochs(net, train.slice(0, 2000))
  const part = testData.slice(100, 1217)
  const { labels } = await net.predict(part.images())
  const correct = part.labels().filter((label, i) => label === labels[i]).length
  const evaluation = await evaluate(net, part)
  t.deepEqual([evaluation.correct, evaluation.count], [correct, 1117])
  t.is(evaluation.accuracy, correct / 1117)
})

test('a seed decides a training, shuffled or not', async (t) => {
  const run = async (seed: number, options: Partial<FitOptions> = {}) => {
    const net = await linear(seed)
    const [epoch] = await epochs(net, train.slice(0, 1000), options)
    return [epoch?.loss, (await net.parameters())['dense0.weight']?.data[5]]
  }
  t.deepEqual(await run(1), await run(1))
  t.notDeepEqual(await run(1), await run(2))
  t.notDeepEqual(await run(1), await run(1, { seed: 9 }))
  t.deepEqual(await run(1, { seed: 9 }), await run(1, { seed: 9 }))
  t.notDeepEqual(await run(1), await run(1, { shuffle: false }))
})

test('unshuffled training is the same as steps in the order of the file', async (t) => {
  const [whole, stepwise] = [await linear(), await linear()]
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.001 })
  const part = train.slice(50, 250)
  await epochs(whole, part, { shuffle: false, optimizer, epochs: 2 })
  for (let epoch = 0; epoch < 2; epoch++) {
    for (const { images, labels } of part.batches({ batchSize: 64 })) await step(stepwise, images, labels, optimizer)
  }
  t.deepEqual(await whole.parameters(), await stepwise.parameters())
})

test('two networks train at once, each as if alone', async (t) => {
  const part = train.slice(0, 3000)
  const alone = [await epochs(await ready(1), part), await epochs(await ready(2), part)]
  const together = await Promise.all([epochs(await ready(1), part), epochs(await ready(2), part)])
  const losses = (runs: Epoch[][]) => runs.map(([epoch]) => epoch?.loss)
  t.deepEqual(losses(together), losses(alone))
})

test('a network is trained by one fit at a time', async (t) => {
  const net = await linear()
  const options = { epochs: 2, batchSize: 64, optimizer: sgd({ learningRate: 0.1 }) }
  const first = fit(net, train, options)
  const epoch = first.next()
  await t.throwsAsync(fit(net, train, options).next(), { code: 'BUSY' })
  await t.throwsAsync(net.loadParameters('x'), { code: 'BUSY' })
  await t.throwsAsync(net.initialize({ forceReinit: true }), { code: 'BUSY' })
  await t.throwsAsync(step(net, train.images(0, 1), [0], options.optimizer), { code: 'BUSY' })
  await t.notThrowsAsync(evaluate(net, testData.slice(0, 10)), 'others may look')
  await epoch
  await first.return()
  t.false((await fit(net, train.slice(0, 100), options).next()).done)
})

test('an AbortSignal stops a training within a batch', async (t) => {
  const net = await ready()
  const controller = new AbortController()
  const images: number[] = []
  const onProgress = (progress: EpochProgress) => {
    images.push(progress.images)
    controller.abort()
  }
  const endless = epochs(net, train, { epochs: 1000, signal: controller.signal, onProgress })
  await t.throwsAsync(endless, { any: true, name: 'AbortError' })
  t.is(images.length, 1)
  t.true((images[0] as number) > 0 && (images[0] as number) < 60_000)
  const reason = new Error('enough')
  await t.throwsAsync(epochs(net, train, { signal: AbortSignal.abort(reason) }), { is: reason })
  await t.throwsAsync(evaluate(net, testData, { signal: AbortSignal.abort(reason) }), { is: reason })
  t.is((await epochs(net, train.slice(0, 100))).length, 1, 'the network can go on')
})

test.serial('the event loop runs on while images load and a network trains', async (t) => {
  let [last, longest, ticks] = [performance.now(), 0, 0]
  const timer = setInterval(() => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    ticks++
  }, 1)
  const data = await fashionMnist()
  const net = await ready()
  await epochs(net, data.train, { epochs: 2, test: data.test })
  await net.parameters()
  await net.predict(data.test.images(0, 256))
  clearInterval(timer)
  // Training takes hundreds of milliseconds; whatever the machine's other work, a blocked loop would show.
  t.true(ticks > 100, `${ticks} ticks`)
  t.true(longest < 150, `the loop once waited ${longest} ms`)
})

test('what onProgress throws ends the training, as does a test set that does not fit, before it', async (t) => {
  const net = await ready()
  const mine = new Error('mine')
  const onProgress = () => {
    throw mine
  }
  await t.throwsAsync(epochs(net, train, { epochs: 100, onProgress }), { is: mine })
  const before = await net.parameters()
  const images = { data: new Uint8Array(784), shape: [1, 1, 28, 28] }
  const unfit = await arrayDataset({ images, labels: [10] })
  await t.throwsAsync(epochs(net, train, { test: unfit }), { code: 'LABEL_OUT_OF_RANGE', message: /label 10/ })
  t.deepEqual(await net.parameters(), before)
})

const programOfAWorker = `
  import { parentPort } from 'node:worker_threads'
  import { fashionMnist, fit, lenet, sgd } from 'candlewick'
  const { train } = await fashionMnist()
  const net = lenet()
  await net.initialize({ device: 'cpu', seed: 1 })
  const options = { epochs: 1000000, batchSize: 256, optimizer: sgd({ learningRate: 0.1 }) }
  setTimeout(() => parentPort.postMessage('training'), 100)
  setInterval(() => net.predict(train.images(0, 1000)), 10)
  for await (const epoch of fit(net, train, options)) parentPort.postMessage(epoch.loss)
`

test('a worker thread trains as the main thread does', async (t) => {
  const [here] = await epochs(await ready(), train, { batchSize: 256 })
  const worker = new Worker(programOfAWorker, { eval: true, execArgv: ['--input-type=module'] })
  const loss = await new Promise((resolve, reject) => {
    worker.on('message', (message) => message !== 'training' && resolve(message)).once('error', reject)
  })
  t.is(loss, here?.loss)
  t.is(await worker.terminate(), 1)
})

test('a worker thread can be ended while it trains, and its engine ends with it', async (t) => {
  // In a process of its own, as what goes wrong here ends the process or prints to its standard error.
  const program = `
    import { Worker } from 'node:worker_threads'
    const worker = () => new Worker(${JSON.stringify(programOfAWorker)}, { eval: true, execArgv: ['--input-type=module'] })
    const workers = Array.from({ length: 4 }, worker)
    await Promise.all(workers.map((w) => new Promise((resolve, reject) => w.once('message', resolve).once('error', reject))))
    await Promise.all(workers.map((w) => w.terminate()))
    await new Promise((resolve) => setTimeout(resolve, 200))
    const before = process.cpuUsage()
    await new Promise((resolve) => setTimeout(resolve, 500))
    console.log(process.cpuUsage(before).user)
  `
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program])
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  t.is(stderr, '')
  t.true(stdout !== '' && Number(stdout) < 250_000, `${stdout} microseconds of work after the end`)
})

test('an epoch line reads as in the d2l text', (t) => {
  const epoch = {
    epoch: 1,
    loss: 2.30824,
    trainAcc: 0.1131,
    learningRate: 0.9,
    testAcc: 0.2925,
    trainSeconds: 0.53,
    evalSeconds: 0.07,
  }
  t.is(formatEpoch(epoch), 'epoch 1, loss 2.3082, train acc 0.113, test acc 0.292, time 0.6 sec')
  t.is(
    formatEpoch({ epoch: 2, loss: 1, trainAcc: 0.5, learningRate: 0.9, trainSeconds: 1 }),
    'epoch 2, loss 1.0000, train acc 0.500, time 1.0 sec',
  )
})
