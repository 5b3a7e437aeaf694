/** What Rust lists, TypeScript and the README list too. Rust's serde names all kinds when it is given another. */

import { readFile } from 'node:fs/promises'
import test from 'ava'
import { arrayDataset, CandlewickError, conv2d, dense, fit, Sequential, sgd, step } from 'candlewick'
import { callAddon, callAddonAsync, createEngine, DatasetBuilder, describeLayers, Progress } from '#dist/addon.js'
import type { CheckedImages } from '#dist/data/images.js'
import { fed } from '#dist/feed.js'
import { noSums } from '#dist/training/sums.js'

/** The message of what `call` throws, or its promise is rejected with; '' for what is taken as it is, as where all has a default. */
async function refusal(call: () => unknown): Promise<string> {
  try {
    await call()
    return ''
  } catch (error) {
    if (error instanceof CandlewickError) return error.message
    throw error
  }
}

/** Kinds that Rust knows where it is given another. */
async function known(call: () => unknown): Promise<string[]> {
  const [, list] = /unknown variant `\?`, expected (?:one of )?(.*)/.exec(await refusal(call)) ?? []
  return Array.from(list?.matchAll(/`(\w+)`/g) ?? [], ([, kind]) => kind as string)
}

const describing = (layers: unknown) => callAddon(() => describeLayers(JSON.stringify(layers), [1, 8, 8]))
const layers = await known(() => describing([{ kind: '?' }]))
const activations = await known(() => describing([{ kind: 'dense', units: 1, activation: '?' }]))

const unknown = '{"kind":"?"}'
const plain = '{"kind":"softmaxCrossEntropy"}'
const engine = (init: string, name = 'fused') =>
  createEngine('[{"kind":"dense","units":2}]', [1, 1, 1], init, 1, { engine: name, device: 'cpu' })
const initializers = await known(() => callAddonAsync(() => engine(unknown)))
const pixel: CheckedImages = { data: Uint8Array.of(1), shape: [1, 1, 1, 1] }
const optimizers = await known(async () => {
  const made = await engine('{"kind":"zeros"}')
  await fed(pixel, (feed) =>
    made.step(feed, Uint32Array.of(0), new Float32Array(0), plain, { settings: unknown, id: 1 }),
  )
})
const losses = await known(async () => {
  const made = await engine('{"kind":"zeros"}')
  const sgd = { settings: '{"kind":"sgd","learningRate":0.1}', id: 1 }
  await fed(pixel, (feed) => made.step(feed, Uint32Array.of(0), new Float32Array(0), unknown, sgd))
})
const augmentations = await known(async () => {
  const [made, images] = [await engine('{"kind":"zeros"}'), new DatasetBuilder(1, 1, 1, 1, 0)]
  images.pushPixels(Uint8Array.of(1))
  images.pushLabels(Uint16Array.of(0))
  const augment = `{"augmentations":[${unknown}],"seed":1,"epoch":1}`
  const sgd = { settings: '{"kind":"sgd","learningRate":0.1}', id: 1 }
  const options = { batchSize: 1, loss: plain, optimizer: sgd, augment, until: 1 }
  const progress = new Progress(false)
  await callAddonAsync(() => made.train(images.finish(), Uint32Array.of(0), options, noSums, progress))
})

test('activations are the same in TypeScript and in Rust', async (t) => {
  const message = await refusal(() => conv2d({ channels: 1, kernelSize: 1, activation: '?' as never }))
  const listed = Array.from(message.matchAll(/"(\w+)"|(\w+)\(\.\.\.\)/g), ([, name, called]) => name ?? called)
  t.deepEqual(new Set(listed.filter((name) => name !== undefined)), new Set(activations))
  t.true(activations.includes('relu'))
})

test('engines are the same in TypeScript and in Rust', async (t) => {
  const rust = await refusal(() => callAddonAsync(() => engine(unknown, '?')))
  const typescript = await refusal(() => new Sequential([dense({ units: 2 })]).initialize({ engine: '?' as never }))
  const names = (message: string) => new Set(message.match(/"\w+"/g))
  t.deepEqual(names(typescript), names(rust))
  t.true(names(rust).has('"candle"'))
})

test('layers that Rust knows are known to TypeScript', async (t) => {
  t.true(layers.includes('dense'))
  for (const kind of layers) {
    const message = await refusal(() => Sequential.fromJSON([{ kind }] as never))
    t.notRegex(message, /a layer, such as/, kind)
  }
})

test('initializers and optimizers that Rust knows are known to TypeScript', async (t) => {
  t.true(initializers.includes('xavier') && optimizers.includes('sgd'))
  const net = new Sequential([dense({ units: 2 })])
  for (const kind of initializers) await net.initialize({ init: { kind } as never, device: 'cpu', forceReinit: true })
  for (const kind of optimizers) {
    const message = await refusal(() => step(net, pixel, [0], { kind } as never))
    t.notRegex(message, /an optimizer, such as/, kind)
  }
})

test('losses that Rust knows are known to TypeScript', async (t) => {
  t.true(losses.includes('softmaxCrossEntropy'))
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ device: 'cpu' })
  for (const kind of losses) {
    const message = await refusal(() => step(net, pixel, [0], sgd({ learningRate: 0.1 }), { loss: { kind } as never }))
    t.notRegex(message, /a loss, such as/, kind)
  }
})

test('augmentations that Rust knows are known to TypeScript', async (t) => {
  t.true(augmentations.includes('randomFlip'))
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ device: 'cpu' })
  const data = await arrayDataset({ images: { data: Uint8Array.of(1), shape: [1, 1, 1, 1] }, labels: [0] })
  const options = { epochs: 1, batchSize: 1, optimizer: sgd({ learningRate: 0.1 }) }
  for (const kind of augmentations) {
    const message = await refusal(() => fit(net, data, { ...options, augment: [{ kind } as never] }))
    t.notRegex(message, /an augmentation, such as/, kind)
  }
})

test('the README names them all', async (t) => {
  const readme = await readFile('README.md', 'utf8')
  for (const kind of [...layers, ...activations, ...initializers, ...optimizers, ...losses, ...augmentations])
    t.true(readme.includes(`\`${kind}`), kind)
})
