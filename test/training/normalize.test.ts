/** `normalize` of `fit`: what it finds, when it leaves a network as it is, and that checkpoints carry it. */

import { join } from 'node:path'
import test from 'ava'
import {
  arrayDataset,
  dense,
  type FitOptions,
  findLearningRate,
  fit,
  type InitializeOptions,
  type Normalization,
  Sequential,
  sgd,
  step,
} from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'
import { network, options, outcome, squares } from './resumable.js'

const [count, values] = [40, 8]

/** Of two channels, the second of which is the same all over. */
async function images() {
  const data = Uint8Array.from({ length: count * values }, (_, i) => (i % 8 < 4 ? (i * i) % 256 : 51))
  return arrayDataset({
    images: { data, shape: [count, 2, 2, 2] },
    labels: Uint8Array.from({ length: count }, (_, i) => i % 2),
  })
}

async function fresh(changes: Partial<InitializeOptions> = {}): Promise<Sequential> {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [2, 2, 2], device: 'cpu', seed: 1, ...changes })
  return net
}

async function train(net: Sequential, changes: Partial<FitOptions> = {}): Promise<void> {
  const settings = { epochs: 1, batchSize: 8, optimizer: sgd({ learningRate: 0.1 }), ...changes }
  for await (const _ of fit(net, await images(), settings));
}

const normalize = 'mean-deviation'

test('a network that begins normalizes by the images that it trains on', async (t) => {
  const net = await fresh()
  let atFirst: Normalization | undefined
  const onBegin = () => {
    atFirst = net.normalization
  }
  await train(net, { normalize, callbacks: [{ onBegin }] })
  const { mean, deviation } = await (await images()).statistics()
  t.deepEqual(deviation[1], 0)
  t.deepEqual(atFirst, { mean, deviation: [deviation[0] as number, 1] }, 'nothing is divided by 0')
  const same = await fresh({ normalize: { mean, deviation: [deviation[0] as number, 1] } })
  await train(same)
  t.deepEqual(await net.parameters(), await same.parameters())
  const plain = await fresh()
  await train(plain)
  t.notDeepEqual(await net.parameters(), await plain.parameters())
})

test('images that are split off for the validation do not count', async (t) => {
  const net = await fresh()
  await train(net, { normalize, validation: 0.5, seed: 3 })
  const { mean } = await (await images()).statistics()
  t.is(net.normalization?.mean.length, 2)
  t.notDeepEqual(net.normalization?.mean, mean)
})

test('a network that normalizes goes on as it does', async (t) => {
  const own = { mean: [0.5, 0.5], deviation: [0.25, 0.25] }
  const net = await fresh({ normalize: own })
  await train(net, { normalize })
  t.deepEqual(net.normalization, own)
  const other = await fresh()
  await train(other, { normalize })
  const found = other.normalization
  await train(other, { normalize })
  t.is(other.normalization, found)
})

test('a network that has learned without is not normalized afterwards', async (t) => {
  const message = /^The network has learned, or was given parameters, without a normalization/
  const refused = async (net: Sequential) => {
    await t.throwsAsync(train(net, { normalize }), { code: 'INVALID_ARGUMENT', message })
    t.is(net.normalization, undefined)
  }
  const trained = await fresh()
  await train(trained)
  await refused(trained)
  await refused(await trained.clone())
  const stepped = await fresh()
  await step(stepped, { data: new Uint8Array(8), shape: [1, 2, 2, 2] }, [0], sgd({ learningRate: 0.1 }))
  await refused(stepped)
  const path = join(await temporaryFolder(t), 'net.safetensors')
  await trained.saveParameters(path)
  await refused(await Sequential.load(path, { device: 'cpu' }))
  await trained.initialize({ inputShape: [2, 2, 2], device: 'cpu', forceReinit: true })
  await t.notThrowsAsync(train(trained, { normalize }))
})

test('one that looked for a learning rate, or is a clone of one that begins, has not learned', async (t) => {
  const net = await fresh()
  await findLearningRate(net, await images(), { batchSize: 8, steps: 10 })
  const clone = await net.clone()
  await t.throwsAsync(net.loadParameters('nowhere'), { code: 'CHECKPOINT_NOT_FOUND' })
  for (const one of [net, clone]) {
    await train(one, { normalize })
    t.truthy(one.normalization)
  }
})

test('what fit cannot normalize by is refused', async (t) => {
  const net = await fresh()
  const message = 'Expected "mean-deviation" for normalize, but received true.'
  await t.throwsAsync(train(net, { normalize: true as never }), { code: 'INVALID_ARGUMENT', message })
  const data = new Float32Array(16).fill(Number.NaN)
  const broken = await arrayDataset({ images: { data, shape: [2, 2, 2, 2] }, labels: [0, 1] })
  const run = async () => {
    const settings = { epochs: 1, batchSize: 2, optimizer: sgd({ learningRate: 0.1 }), normalize } as const
    for await (const _ of fit(net, broken, settings));
  }
  const named = 'Expected a number that is finite in float32 for train.statistics().mean[0], but received NaN.'
  t.is((await t.throwsAsync(run(), { code: 'INVALID_ARGUMENT' })).message, named)
})

test('a training that is resumed is normalized as before, to the bit', async (t) => {
  const begin = async (changes: Partial<InitializeOptions> = {}) => {
    const net = network()
    await net.initialize({ inputShape: [1, 12, 12], device: 'cpu', seed: 3, ...changes })
    return net
  }
  const settings = { ...(await options(undefined, {})), normalize } as const
  const net = await begin()
  const expected = await outcome(net, settings)
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const controller = new AbortController()
  const run = async () => {
    const data = (await squares()).slice(300)
    for await (const { epoch } of fit(await begin(), data, { ...settings, checkpoint, signal: controller.signal })) {
      if (epoch === 2) controller.abort(new Error('enough'))
    }
  }
  await t.throwsAsync(run(), { message: 'enough' })
  const { normalize: _, ...without } = settings
  for (const changed of [settings, without]) {
    const other = await begin({ seed: 99 })
    t.deepEqual(await outcome(other, { ...changed, resume: checkpoint }), expected.slice(2))
    t.deepEqual(other.normalization, net.normalization)
  }
  t.deepEqual((await Sequential.load(checkpoint, { device: 'cpu' })).normalization, net.normalization)
  const same = await begin({ normalize: net.normalization as Normalization })
  t.deepEqual(await outcome(same, { ...settings, resume: checkpoint }), expected.slice(2))

  const differs = await begin({ normalize: { mean: [0], deviation: [1] } })
  await t.throwsAsync(outcome(differs, { ...settings, resume: checkpoint }), {
    code: 'CHECKPOINT_INVALID',
    message: /of a training with the normalization \{.*\}, but this one has the normalization \{"mean":\[0\],"dev/,
  })
  const plain = join(await temporaryFolder(t), 'plain.safetensors')
  await outcome(await begin(), { ...without, epochs: 1, checkpoint: plain })
  await t.throwsAsync(outcome(await begin(), { ...settings, resume: plain }), {
    code: 'CHECKPOINT_INVALID',
    message: /of a training without a normalization, but this one has normalize: 'mean-deviation'; resume with/,
  })
})
