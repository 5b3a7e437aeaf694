/** What one call does is one job in the network's line. */

import { rmdirSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { arrayDataset, dense, evaluate, fit, type Images, maxPool2d, Sequential, sgd, step } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'

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

async function lazy(seed = 1): Promise<Sequential> {
  const net = new Sequential([dense({ units: 10 })])
  await net.initialize({ device: 'cpu', seed })
  return net
}

test('calls at once on a network that waits for its first images are calls on one network', async (t) => {
  const inTurn = await network()
  const expected = [await inTurn.predict(equal(1))]
  await step(inTurn, equal(1), [1], optimizer)
  await step(inTurn, equal(1), [2], optimizer)
  expected.push(await inTurn.predict(equal(1)))
  const net = await lazy()
  const calls = [
    net.predict(equal(1)),
    step(net, equal(1), [1], optimizer),
    step(net, equal(1), [2], optimizer),
    net.predict(equal(1)),
  ] as const
  const answers = await Promise.all(calls)
  t.deepEqual([answers[0], answers[3]], expected)
  t.deepEqual(await net.parameters(), await inTurn.parameters())
})

test('a training and an evaluation that begin at once on such a network are of one network', async (t) => {
  const net = await lazy()
  const data = await arrayDataset({ images: equal(64) as never, labels: new Uint8Array(64).fill(3) })
  const training = fit(net, data, { epochs: 1, batchSize: 64, optimizer, shuffle: false })
  const [before, epoch] = await Promise.all([evaluate(net, data), training.next()])
  await training.return()
  t.is(before.loss, (epoch.value as { loss: number }).loss)
  t.not((await evaluate(net, data)).loss, before.loss)
})

test('after images that do not fit, the next calls are calls on one network', async (t) => {
  const net = new Sequential([maxPool2d({ poolSize: 28 }), dense({ units: 10 })])
  await net.initialize({ device: 'cpu', seed: 1 })
  const unfit = net.predict({ data: new Uint8Array(1), shape: [1, 1, 1, 1] })
  const calls = [step(net, equal(1), [1], optimizer), net.predict(equal(1))] as const
  await t.throwsAsync(unfit, { code: 'INVALID_SHAPE' })
  const [, answer] = await Promise.all(calls)
  t.deepEqual(answer, await net.predict(equal(1)))
})

test('a network that is initialised anew while a call waits has the parameters of its new seed', async (t) => {
  const [net, expected] = [await lazy(1), await lazy(2)]
  const first = net.predict(equal(1))
  await net.initialize({ device: 'cpu', seed: 2, forceReinit: true })
  t.deepEqual(await first, await (await lazy(1)).predict(equal(1)), 'the call came before')
  t.deepEqual(await net.predict(equal(1)), await expected.predict(equal(1)))
  t.is(net.seed, 2)
})

test('calls before a forceReinit are answered, whether or not it names a shape', async (t) => {
  for (const make of [network, lazy]) {
    const [net, same] = [await make(), await make()]
    const answer = net.predict(equal(many))
    await net.initialize({ device: 'cpu', seed: 2, forceReinit: true })
    t.deepEqual(await answer, await same.predict(equal(many)))
  }
})

test("a failure that nobody waits for any more stays one call's own", async (t) => {
  const net = new Sequential([maxPool2d({ poolSize: 2 }), dense({ units: 3 })])
  await net.initialize({ device: 'cpu', seed: 1 })
  const unhandled: unknown[] = []
  const listen = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', listen)
  t.teardown(() => process.off('unhandledRejection', listen))
  const unfit = t.throwsAsync(net.predict({ data: new Uint8Array(1), shape: [1, 1, 1, 1] }), { code: 'INVALID_SHAPE' })
  await Promise.resolve()
  await net.initialize({ device: 'cpu', seed: 1, forceReinit: true })
  await unfit
  await new Promise(setImmediate)
  t.deepEqual(unhandled, [])
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

test.serial('a path is what it is at the call, wherever the process goes before the call has its turn', async (t) => {
  const [here, net] = [process.cwd(), await network()]
  const dir = await temporaryFolder(t)
  t.teardown(() => process.chdir(here))
  process.chdir(dir)
  const saved = [net.predict(equal(many)), net.saveParameters('net.safetensors')]
  process.chdir(here)
  await Promise.all(saved)
  t.deepEqual(await readdir(dir), ['net.safetensors'])
})

test.serial('a relative path means what it means to the system, behind links too', async (t) => {
  const [here, net] = [process.cwd(), await network()]
  const dir = await temporaryFolder(t)
  t.teardown(() => process.chdir(here))
  await mkdir(join(dir, 'far', 'folder'), { recursive: true })
  await symlink(join(dir, 'far', 'folder'), join(dir, 'link'))
  process.chdir(dir)
  await net.saveParameters('link/../net.safetensors')
  await t.throwsAsync(net.saveParameters('nothere/../net.safetensors'), { code: 'SAVE_FAILED' })
  await t.throwsAsync(net.saveParameters('runs/.'), { code: 'SAVE_FAILED' })
  process.chdir(here)
  t.deepEqual((await readdir(join(dir, 'far'))).sort(), ['folder', 'net.safetensors'])
  t.deepEqual((await readdir(dir)).sort(), ['far', 'link'])
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
