/** Layers beside convolution, pooling and dense: normalisation, dropout, residual blocks. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import {
  activation,
  arrayDataset,
  batchNorm,
  conv2d,
  dense,
  dropout,
  evaluate,
  fit,
  flatten,
  globalAvgPool2d,
  type Layer,
  leakyRelu,
  residual,
  Sequential,
  sgd,
} from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'

const run = promisify(execFile)

// biome-ignore lint/suspicious/noExplicitAny: stands for any wrong value
const wrong = (value: unknown): any => value

test('a layer is data, with what was left out filled in', (t) => {
  t.deepEqual(batchNorm(), { kind: 'batchNorm', momentum: 0.1, epsilon: 1e-5 })
  const frozen = batchNorm({ momentum: 1, epsilon: 0.01, trainable: false })
  t.deepEqual(frozen, { kind: 'batchNorm', momentum: 1, epsilon: 0.01, trainable: false })
  t.deepEqual(batchNorm({ trainable: true }), batchNorm())
  t.deepEqual(dropout({ rate: 0.5 }), { kind: 'dropout', rate: 0.5 })
  t.deepEqual(activation('relu'), { kind: 'activation', activation: 'relu' })
  t.deepEqual(activation(leakyRelu()), { kind: 'activation', activation: leakyRelu() })
  t.deepEqual(globalAvgPool2d(), { kind: 'globalAvgPool2d' })
  t.deepEqual(flatten(), { kind: 'flatten' })
  const body = [dense({ units: 2 })]
  t.deepEqual(residual(body), { kind: 'residual', body })
  t.deepEqual(residual(body, { shortcut: [] }), residual(body), 'without layers, the shortcut is the input')
  t.deepEqual(residual(body, { shortcut: body }), { kind: 'residual', body, shortcut: body })
})

const refused: [what: string, act: () => unknown, message: RegExp][] = [
  ['a momentum above 1', () => batchNorm({ momentum: 1.5 }), /a number from 0 to 1 for momentum, .* 1\.5\./],
  ['an epsilon of 0', () => batchNorm({ epsilon: 0 }), /a number above 0 for epsilon, but received 0\./],
  ['an epsilon below 0', () => batchNorm({ epsilon: -1 }), /of at least 0 for epsilon.* -1/],
  ['an unclear trainable', () => batchNorm(wrong({ trainable: 1 })), /true or false for trainable/],
  ['a typo in batchNorm', () => batchNorm(wrong({ eps: 1 })), /"eps" for batchNorm; it takes momentum, epsilon, train/],
  ['dropout of everything', () => dropout({ rate: 1 }), /from 0 to below 1 for rate, but received 1\./],
  ['dropout without a rate', () => dropout(wrong({})), /for rate, but received undefined/],
  ['a typo in dropout', () => dropout(wrong({ rate: 0.1, seed: 1 })), /"seed" for dropout; it takes rate\./],
  ['an activation that is none', () => activation(wrong('relo')), /one of "sigmoid".* for activation, .*"relo"/],
  ['options of flatten', () => flatten(wrong({ axis: 1 })), /"axis" for flatten; it takes none\./],
  ['options of globalAvgPool2d', () => globalAvgPool2d(wrong({ poolSize: 1 })), /"poolSize" for globalAvg.* none/],
  ['a block without layers', () => residual([]), /an array of at least one layer for body, but received \[\]/],
  ['a body that is none', () => residual(wrong('x')), /at least one layer for body, but received "x"/],
  ['a shortcut that is none', () => residual([flatten()], wrong({ shortcut: {} })), /an array of layers for shortcut/],
  ['a typo in residual', () => residual([flatten()], wrong({ short: [] })), /"short" for residual; it takes shortcut/],
  ['a layer in a block that is none', () => residual([flatten(), wrong({})]), /a layer, such as .* for body\[1\]/],
  [
    'a layer in a block of a network that is none',
    () => Sequential.fromJSON([flatten(), { kind: 'residual', body: [{ kind: 'dense', units: 0 }] }]),
    /^layers\[1\]\.body\[0\]: Expected an integer of at least 1 for units, but received 0\./,
  ],
  [
    'a layer of a shortcut in a block in another',
    () =>
      Sequential.fromJSON([
        { kind: 'residual', body: [{ kind: 'residual', body: [flatten()], shortcut: [wrong(7)] }] },
      ]),
    /for layers\[0\]\.body\[0\]\.shortcut\[0\], but received 7\./,
  ],
  [
    'an option of another layer in a block',
    () => new Sequential([wrong({ kind: 'residual', body: [flatten()], units: 3 })]),
    /^layers\[0\]: Unknown option "units" for residual; it takes body, shortcut\./,
  ],
  [
    'an option of another layer in an activation',
    () => new Sequential([wrong({ kind: 'activation', activation: 'relu', units: 3 })]),
    /^layers\[0\]: Unknown option "units" for activation; it takes activation\./,
  ],
]

for (const [what, act, message] of refused) {
  test(`${what}: refused`, (t) => {
    t.throws(act, { code: 'INVALID_ARGUMENT', message })
  })
}

test('blocks are nested 32 deep at most, however they come', (t) => {
  const nest = (depth: number) => {
    let layer = activation('relu')
    for (let i = 0; i < depth; i++) layer = residual([layer])
    return layer
  }
  t.is(new Sequential([nest(32)]).describe([1, 2, 2]).length, 1)
  const tooDeep = {
    code: 'INVALID_ARGUMENT',
    message: /residual blocks more than 32 deep in each other; nest them less/,
  }
  t.throws(() => nest(33), tooDeep)
  const text = `${'{"kind":"residual","body":['.repeat(33)}{"kind":"flatten"}${']}'.repeat(33)}`
  t.throws(() => Sequential.fromJSON(`[${text}]`), tooDeep)
  t.throws(() => new Sequential([residual([flatten()]), wrong({ kind: 'residual', body: [nest(32)] })]), tooDeep)
  const endless: Record<string, unknown> = { kind: 'residual' }
  endless.body = [endless]
  t.throws(() => new Sequential([wrong(endless)]), tooDeep)
})

test('nobody changes a block that was made', (t) => {
  const body = [dense({ units: 1 })]
  const shortcut = [dense({ units: 1 })]
  const block = residual(body, { shortcut })
  body.push(flatten())
  shortcut.pop()
  t.deepEqual([block.body?.length, block.shortcut?.length], [1, 1])
  for (const value of [block, block.body, block.body?.[0], block.shortcut]) t.true(Object.isFrozen(value))
})

/** A network of all of them. */
function everything(): Sequential {
  const conv = (channels: number): Layer => conv2d({ channels, kernelSize: 3, padding: 1 })
  const pointwise = conv2d({ channels: 4, kernelSize: 1 })
  return new Sequential([
    conv(2),
    batchNorm(),
    activation('relu'),
    residual([conv(4), batchNorm(), activation('relu'), residual([conv(4), dropout({ rate: 0.1 })])], {
      shortcut: [pointwise, batchNorm()],
    }),
    activation('relu'),
    globalAvgPool2d(),
    flatten(),
    dropout({ rate: 0.25 }),
    dense({ units: 2 }),
  ])
}

test('shapes and counts go through blocks, and what is not trained is counted apart', (t) => {
  const layers = everything().describe([1, 6, 6])
  const counts = layers.map(({ name, outputShape, parameterCount, nonTrainableCount }) => {
    return [name, outputShape?.join(), parameterCount, nonTrainableCount]
  })
  t.deepEqual(counts, [
    ['conv0', '1,2,6,6', 20, 0],
    ['norm0', '1,2,6,6', 4, 4],
    ['activation0', '1,2,6,6', 0, 0],
    // 4 (2 · 9 + 1) + 4 (4 · 9 + 1) + 4 (2 + 1), and twice 4 · 2
    ['residual0', '1,4,6,6', 76 + 148 + 12 + 16, 16],
    ['activation1', '1,4,6,6', 0, 0],
    ['pool0', '1,4', 0, 0],
    ['flatten0', '1,4', 0, 0],
    ['dropout0', '1,4', 0, 0],
    ['dense0', '1,2', 10, 0],
  ])
  const [frozen] = new Sequential([batchNorm({ trainable: false })]).describe([3, 2, 2])
  t.like(frozen, { parameterCount: 0, nonTrainableCount: 12 })
  t.regex(everything().summary([1, 6, 6]), /^total +286 +20 +\d+$/m)
  t.throws(() => new Sequential([residual([conv2d({ channels: 3, kernelSize: 3 })])]).describe([1, 6, 6]), {
    code: 'INVALID_SHAPE',
    message:
      /^Residual0 is the sum of two ways, but its body ends in the shape \(3, 4, 4\) and its input.*\(1, 6, 6\)/i,
  })
})

test('a network of all of them is the same after its JSON', (t) => {
  const net = everything()
  const again = Sequential.fromJSON(JSON.stringify(net))
  t.deepEqual(again.toJSON(), net.toJSON())
  t.deepEqual(again.describe([1, 6, 6]), net.describe([1, 6, 6]))
})

/** Images of upright and of lying stripes. */
function stripes(count: number) {
  const size = 6
  const data = Uint8Array.from({ length: count * size * size }, (_, i) => {
    const image = Math.floor(i / (size * size))
    const along = image % 2 === 0 ? i % size : Math.floor(i / size) % size
    const isBright = along % 2 === 0
    return (isBright ? 150 : 50) + ((i * 7919) % 60)
  })
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2)
  return { images: { data, shape: [count, 1, size, size] as [number, number, number, number] }, labels }
}

test('it trains, and answers the same in another process after a file', async (t) => {
  const { images, labels } = stripes(64)
  const dataset = await arrayDataset({ images, labels })
  const net = everything()
  await net.initialize({ inputShape: [1, 6, 6], device: 'cpu', threads: 1, seed: 1 })
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 })
  for await (const { loss } of fit(net, dataset, { epochs: 15, batchSize: 8, optimizer })) t.true(Number.isFinite(loss))
  const { accuracy } = await evaluate(net, dataset)
  t.is(accuracy, 1)
  const { 'norm0.running_mean': mean } = await net.parameters()
  t.true(
    mean?.data.every((value) => value !== 0 && Number.isFinite(value)),
    'it has seen its inputs',
  )

  const path = join(await temporaryFolder(t), 'net.safetensors')
  await net.saveParameters(path)
  const answers = (await net.predict(images)).logits
  const code = `import { Sequential } from 'candlewick'
    const [json, path, images] = process.argv.slice(1)
    const net = Sequential.fromJSON(json)
    await net.initialize({ inputShape: [1, 6, 6], device: 'cpu', threads: 2, seed: 2 })
    const { left } = await net.loadParameters(path)
    const { logits } = await net.predict({ data: Uint8Array.from(JSON.parse(images)), shape: [64, 1, 6, 6] })
    console.log(JSON.stringify({ left, logits: [...logits] }))`
  const data = JSON.stringify([...images.data])
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code, JSON.stringify(net), path, data])
  t.deepEqual(JSON.parse(stdout), { left: [], logits: [...answers] })
})

test('what is dropped follows from the seed, whatever the engine and the threads', async (t) => {
  const { images, labels } = stripes(40)
  const dataset = await arrayDataset({ images, labels })
  const trained = async (options: { seed: number; threads?: number; engine?: 'fused' | 'candle' }) => {
    const net = new Sequential([dropout({ rate: 0.5 }), dense({ units: 8, activation: 'relu' }), dense({ units: 2 })])
    await net.initialize({ inputShape: [1, 6, 6], device: 'cpu', init: { kind: 'constant', value: 0.01 }, ...options })
    const optimizer = sgd({ learningRate: 0.1 })
    for await (const _ of fit(net, dataset, { epochs: 2, batchSize: 20, shuffle: false, optimizer }));
    return (await net.parameters())['dense0.weight']?.data as Float32Array
  }
  const first = await trained({ seed: 1, threads: 1 })
  t.deepEqual(await trained({ seed: 1, threads: 2 }), first)
  t.notDeepEqual(await trained({ seed: 2 }), first)
  const reference = await trained({ seed: 1, engine: 'candle' })
  t.true(first.every((value, i) => Math.abs(value - (reference[i] ?? Number.NaN)) < 1e-6))
})
