/** The engines behind one network: the same figures from both, and what each can't do. */

import { join } from 'node:path'
import test from 'ava'
import {
  arrayDataset,
  avgPool2d,
  conv2d,
  type Dataset,
  dense,
  devices,
  type EngineName,
  evaluate,
  fit,
  lenet,
  maxPool2d,
  Sequential,
  sgd,
  step,
  tryGpu,
} from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'

const engines: EngineName[] = ['fused', 'candle']

function images(count: number): Promise<Dataset> {
  const data = Uint8Array.from({ length: count * 784 }, (_, i) => (i * i) % 251)
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 10)
  return arrayDataset({ images: { data, shape: [count, 1, 28, 28] }, labels })
}

async function made(engine: EngineName, net = lenet()): Promise<Sequential> {
  await net.initialize({ inputShape: [1, 28, 28], seed: 1, device: 'cpu', engine })
  return net
}

const mixed = () =>
  new Sequential([
    conv2d({ channels: 4, kernelSize: 3, strides: 2, padding: 1, activation: 'relu' }),
    avgPool2d({ poolSize: 2 }),
    maxPool2d({ poolSize: 3, strides: 2 }),
    dense({ units: 10, activation: 'tanh' }),
    dense({ units: 10 }),
  ])

for (const [name, network] of Object.entries({ lenet, mixed })) {
  test(`${name} has the same losses on both engines, and the same answers`, async (t) => {
    const train = await images(100)
    const course = async (engine: EngineName) => {
      const net = await made(engine, network())
      const optimizer = sgd({ learningRate: 0.1, momentum: 0.5, weightDecay: 0.01 })
      const figures: number[] = []
      for await (const { loss, testAcc } of fit(net, train, { epochs: 2, batchSize: 32, optimizer, test: train })) {
        figures.push(loss, testAcc ?? Number.NaN)
      }
      figures.push((await step(net, train.images(0, 8), train.labels(0, 8), optimizer)).loss)
      figures.push((await evaluate(net, train)).loss)
      return [...figures, ...(await net.predict(train.images(0, 3))).logits]
    }
    const [fused, candle] = [await course('fused'), await course('candle')]
    t.is(fused.length, 6 + 30)
    for (const [i, figure] of candle.entries()) {
      t.true(Math.abs(figure - (fused[i] ?? Number.NaN)) < 1e-4, `${i}: ${figure} and ${fused[i]}`)
    }
  })
}

test('both engines draw the same parameters, and each loads what the other saved', async (t) => {
  const folder = await temporaryFolder(t)
  const [fused, candle] = [await made('fused'), await made('candle')]
  t.deepEqual(await candle.parameters(), await fused.parameters())
  for (const [from, to] of [
    [fused, candle],
    [candle, fused],
  ] as const) {
    const train = await images(20)
    await step(from, train.images(0, 20), train.labels(0, 20), sgd({ learningRate: 0.5 }))
    const file = join(folder, 'net.safetensors')
    await from.saveParameters(file)
    await to.loadParameters(file)
    t.deepEqual(await to.parameters(), await from.parameters())
  }
})

test('an engine that is none is refused with those that are', async (t) => {
  const refused = { code: 'INVALID_ARGUMENT', message: /"fused" or "candle" for engine, but received "torch"/ }
  const torch = 'torch' as EngineName
  await t.throwsAsync(made(torch), refused)
  t.throws(() => devices(torch), refused)
  t.throws(() => tryGpu(torch), refused)
})

test('a device that an engine does not run on is refused, and the engine that does is named', async (t) => {
  const net = lenet()
  await t.throwsAsync(net.initialize({ engine: 'fused', device: 'metal' }), {
    code: 'DEVICE_UNAVAILABLE',
    message: /^Metal was asked for, but .*Metal is for the engine "candle"/,
  })
  const missing = { code: 'DEVICE_UNAVAILABLE', message: /^cuda:9999 was asked for, but/i }
  for (const engine of engines) await t.throwsAsync(net.initialize({ engine, device: 'cuda:9999' }), missing)
})

test('what is tried and taken by default is among the devices of the engine', async (t) => {
  for (const engine of engines) {
    const usable = devices(engine).filter(({ available }) => available)
    const names = usable.map(({ name }) => name)
    t.is(names[0], 'cpu')
    t.true(names.includes(tryGpu(engine)))
    const net = lenet()
    await net.initialize({ engine })
    t.is(net.device, tryGpu(engine))
  }
})
