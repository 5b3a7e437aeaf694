/** What one call does is one job in the network's line. */

import { rmdirSync } from 'node:fs'
import { mkdtemp, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { arrayDataset, dense, evaluate, fit, type Images, Sequential, sgd, step } from 'candlewick'
import { temporaryFolder } from './idx-folder.js'

const optimizer = sgd({ learningRate: 1, momentum: 0.9 })

async function network(units = 10): Promise<Sequential> {
  const net = new Sequential([dense({ units })])
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  return net
}

/** So many equal images, more values than are copied at a time. */
function equal(n: number, type: typeof Uint8Array | typeof Float32Array = Uint8Array): Images {
  return { data: new type(n * 784).fill(1), shape: [n, 1, 28, 28] }
}

const many = 6000

test('a prediction of many images answers from one network, whatever is called meanwhile', async (t) => {
  const net = await network()
  const [before] = [(await net.predict(equal(1))).logits.join()]
  const answer = net.predict(equal(many))
  const steps = [0, 1].map((label) => step(net, equal(1), [label], optimizer))
  const after = net.predict(equal(many, Float32Array))
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 2, forceReinit: true })
  const rows = ({ logits }: { logits: Float32Array }) => {
    return new Set(Array.from({ length: many }, (_, i) => logits.subarray(i * 10, i * 10 + 10).join()))
  }
  t.deepEqual(rows(await answer), new Set([before]))
  const stepped = rows(await after)
  t.is(stepped.size, 1)
  t.false(stepped.has(before))
  await Promise.all(steps)
})

test('a large step has its place in line when it is called', async (t) => {
  const [together, alone] = [await network(), await network()]
  const labels = new Uint8Array(many)
  const calls = [
    step(together, equal(many, Float32Array), labels, optimizer),
    step(together, equal(1), [1], optimizer),
    together.parameters(),
  ] as const
  await step(alone, equal(many, Float32Array), labels, optimizer)
  await step(alone, equal(1), [1], optimizer)
  t.deepEqual((await Promise.all(calls))[2], await alone.parameters())
})

test('evaluation sees the steps before it and none after', async (t) => {
  const net = await network()
  const data = await arrayDataset({ images: equal(many) as never, labels: new Uint8Array(many) })
  const before = await evaluate(net, data)
  const calls = [evaluate(net, data), step(net, equal(1), [3], optimizer), evaluate(net, data)] as const
  const [first, , second] = await Promise.all(calls)
  t.deepEqual(first, before)
  t.notDeepEqual(second, before)
})

test('images that change while they are handed over cost their own answer, and nobody waits for them', async (t) => {
  const net = await network()
  const images = equal(many)
  const lost = net.predict(images)
  const next = net.predict(equal(1))
  await new Promise(setImmediate)
  structuredClone(images.data, { transfer: [images.data.buffer as ArrayBuffer] })
  await t.throwsAsync(lost, { code: 'INVALID_ARGUMENT', message: /left alone meanwhile for images\.data/ })
  t.is((await next).labels.length, 1)
})

test('a lazily initialised network does not hand one call the failure of another', async (t) => {
  const net = new Sequential([dense({ units: 2 ** 31 - 1 })])
  await net.initialize({ device: 'cpu', seed: 1 })
  const calls = [1, 2].map((side) => net.predict({ data: new Uint8Array(side * side), shape: [1, 1, side, side] }))
  const messages = (await Promise.allSettled(calls)).map((call) => (call as PromiseRejectedResult).reason.message)
  t.regex(messages[0], /\(2147483647, 1\)|GiB/)
  t.regex(messages[1], /\(2147483647, 4\)|GiB/)
  t.not(messages[0], messages[1])
})

test('another optimiser starts without velocity, and a refused step makes none known', async (t) => {
  const weights = async (net: Sequential) => (await net.parameters())['dense0.weight']?.data
  const sgdOf = () => sgd({ learningRate: 0.1, momentum: 0.9 })
  const [refused, plain, kept] = [await network(), await network(), await network()]
  const [first, second] = [sgdOf(), sgdOf()]
  for (const net of [refused, plain, kept]) for (let i = 0; i < 3; i++) await step(net, equal(1), [0], first)
  await t.throwsAsync(step(refused, equal(1), [10], second), { code: 'LABEL_OUT_OF_RANGE' })
  // The first goes on as if nothing had been, and so does the second start afresh after it.
  for (const net of [refused, plain]) await step(net, equal(1), [1], first)
  t.deepEqual(await weights(refused), await weights(plain))
  await step(refused, equal(1), [2], second)
  await step(plain, equal(1), [2], sgdOf())
  t.deepEqual(await weights(refused), await weights(plain))
  for (const label of [1, 2]) await step(kept, equal(1), [label], first)
  t.notDeepEqual(await weights(kept), await weights(plain))
})

test('the learning rate of an optimiser may change and its velocity stays', async (t) => {
  const [changed, plain] = [await network(), await network()]
  const optimizer = { learningRate: 0.1, momentum: 0.9 }
  const data = await arrayDataset({ images: equal(64) as never, labels: new Uint8Array(64) })
  for (const net of [changed, plain]) {
    for await (const _ of fit(net, data, {
      epochs: 1,
      batchSize: 8,
      optimizer: net === plain ? { ...optimizer } : optimizer,
    }));
  }
  t.deepEqual(await changed.parameters(), await plain.parameters())
  optimizer.learningRate = 0.01
  await step(changed, equal(1), [1], optimizer)
  await step(plain, equal(1), [1], { ...optimizer })
  t.notDeepEqual(await changed.parameters(), await plain.parameters(), 'a new object starts without velocity')
})

test('a path is what it is at the call, wherever the process goes before the call has its turn', async (t) => {
  const [here, net] = [process.cwd(), await network()]
  const dir = await temporaryFolder(t)
  t.teardown(() => process.chdir(here))
  process.chdir(dir)
  const saved = [net.predict(equal(many)), net.saveParameters('net.safetensors')]
  process.chdir(here)
  await Promise.all(saved)
  t.deepEqual(await readdir(dir), ['net.safetensors'])
})

test('a relative path in a folder that is gone is refused', async (t) => {
  const [here, net] = [process.cwd(), await network()]
  const dir = await mkdtemp(join(tmpdir(), 'candlewick-test-'))
  process.chdir(dir)
  rmdirSync(dir)
  const saved = net.saveParameters('net.safetensors')
  process.chdir(here)
  await t.throwsAsync(saved, { code: 'INVALID_ARGUMENT', message: /^path cannot be read: .*ENOENT/ })
})
