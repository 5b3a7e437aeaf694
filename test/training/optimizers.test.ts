import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import {
  adam,
  adamW,
  arrayDataset,
  avgPool2d,
  conv2d,
  dense,
  ema,
  evaluate,
  fashionMnist,
  fit,
  lenet,
  maxPool2d,
  type Optimizer,
  type Parameter,
  Sequential,
  type SgdOptions,
  sgd,
  step,
} from 'candlewick'
import { readSafetensors } from '../safetensors.js'

const fixture = join('crates', 'candlewick', 'tests', 'fixtures', 'relu.safetensors')

/** The network of `relu.json` beside the fixture, with the parameters that PyTorch started from. */
async function reluNetwork(): Promise<Sequential> {
  const net = new Sequential([
    conv2d({ channels: 8, kernelSize: 3, padding: 1, activation: 'relu' }),
    maxPool2d({ poolSize: 2 }),
    conv2d({ channels: 20, kernelSize: 5, strides: 2, padding: 2, activation: 'tanh' }),
    avgPool2d({ poolSize: 3, strides: 2 }),
    dense({ units: 50, activation: 'relu' }),
    dense({ units: 10 }),
  ])
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  await net.loadParameters(fixture, { ignoreExtra: true })
  return net
}

/** Greatest difference, relative to the greatest expected value. */
function relativeError(actual: Float32Array, expected: ArrayLike<number>): number {
  const largest = Array.from(expected).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return actual.reduce((most, value, i) => Math.max(most, Math.abs(value - (expected[i] as number))), 0) / largest
}

test('momentum and weight decay follow what PyTorch computed, in steps and in fit', async (t) => {
  const expected = await readSafetensors(fixture)
  const tensor = (name: string) => expected.get(name) ?? new Float32Array()
  const optimizer = sgd({ learningRate: 0.05, momentum: 0.9, weightDecay: 0.0005 })
  const train = (await fashionMnist()).train.slice(0, 60 * 100)
  const [stepwise, whole] = [await reluNetwork(), await reluNetwork()]
  const losses: number[] = []
  for (const { images, labels } of train.batches({ batchSize: 100 })) {
    losses.push((await step(stepwise, images, labels, optimizer)).loss)
  }
  t.is(losses.length, 60)
  t.is(tensor('losses').length, 60)
  for (const [i, loss] of losses.entries()) {
    const wanted = tensor('losses')[i] as number
    t.true(Math.abs(loss - wanted) < 1e-4 * wanted, `loss ${i}: ${loss} for ${wanted}`)
  }
  const { value: epoch } = await fit(whole, train, { epochs: 1, batchSize: 100, optimizer, shuffle: false }).next()
  const mean = losses.reduce((sum, loss) => sum + loss) / losses.length
  t.true(epoch !== undefined && Math.abs(epoch.loss - mean) < 1e-4 * mean, `mean loss ${epoch?.loss} for ${mean}`)
  for (const net of [stepwise, whole]) {
    for (const [name, { data }] of Object.entries(await net.parameters())) {
      const error = relativeError(data, tensor(`after.${name}`))
      t.true(error < 1e-3, `${name} is off by ${error}`)
    }
  }
})

const images = { data: Uint8Array.from({ length: 40 }, (_, i) => (i * 37) % 256), shape: [10, 1, 2, 2] }
const labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]

/** One dense layer, the same each time. */
async function linear(): Promise<Sequential> {
  const net = new Sequential([dense({ units: 3 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1 })
  return net
}

/** Parameters after one step with each optimiser. */
async function after(...optimizers: Optimizer[]): Promise<Record<string, Parameter>> {
  const net = await linear()
  for (const optimizer of optimizers) await step(net, images, labels, optimizer)
  return net.parameters()
}

test('an optimiser keeps its velocity, and another starts without', async (t) => {
  const withMomentum = () => sgd({ learningRate: 0.1, momentum: 0.9 })
  const without = sgd({ learningRate: 0.1 })
  const same = withMomentum()
  t.deepEqual(await after(same), await after(without), 'the first step has no velocity')
  t.deepEqual(await after(withMomentum(), withMomentum()), await after(without, without))
  t.notDeepEqual(await after(same, same), await after(without, without))
  t.deepEqual(await after(withMomentum(), withMomentum(), without), await after(without, without, without))
})

test('a velocity goes on from step to fit and from fit to fit', async (t) => {
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 })
  const train = (await fashionMnist()).train.slice(0, 128)
  const options = { batchSize: 64, shuffle: false, optimizer }
  const initialized = async () => {
    const net = new Sequential([dense({ units: 10 })])
    await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
    return net
  }
  const fitted = async (net: Sequential, epochs: number) => {
    for await (const _ of fit(net, train, { ...options, epochs }));
  }
  const [once, twice, stepwise] = [await initialized(), await initialized(), await initialized()]
  await fitted(once, 2)
  await fitted(twice, 1)
  await fitted(twice, 1)
  for (const batch of train.batches({ batchSize: 64 })) await step(stepwise, batch.images, batch.labels, optimizer)
  await fitted(stepwise, 1)
  t.deepEqual(await twice.parameters(), await once.parameters())
  t.deepEqual(await stepwise.parameters(), await once.parameters())
})

test('a network that is initialized again has no velocity', async (t) => {
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 })
  const net = await linear()
  await step(net, images, labels, optimizer)
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1, forceReinit: true })
  await step(net, images, labels, optimizer)
  t.deepEqual(await net.parameters(), await after(optimizer))
})

test('weight decay draws weights to zero, by what it says', async (t) => {
  const free = await after(sgd({ learningRate: 0.5 }))
  const decayed = await after(sgd({ learningRate: 0.5, weightDecay: 0.1 }))
  const start = await (await linear()).parameters()
  const data = (parameters: Record<string, Parameter>) => parameters['dense0.weight']?.data ?? new Float32Array()
  t.is(data(start).length, 12)
  data(start).forEach((weight, i) => {
    const wanted = (data(free)[i] as number) - 0.5 * 0.1 * weight
    t.true(Math.abs((data(decayed)[i] as number) - wanted) < 1e-6)
  })
})

test('a learning rate of 0 changes nothing', async (t) => {
  t.deepEqual(await after(sgd({ learningRate: 0, momentum: 0.5 })), await (await linear()).parameters())
})

test('an optimiser holds what was said, and 0 for what was not', (t) => {
  const { learningRate, momentum, weightDecay } = sgd({ learningRate: 0.5 })
  t.deepEqual([learningRate, momentum, weightDecay], [0.5, 0, 0])
  const all: SgdOptions = { learningRate: 0, momentum: 0.5, weightDecay: 0.25 }
  t.like(sgd(all), all)
})

const refused: [options: object, message: RegExp][] = [
  [{}, /learningRate.* undefined/],
  [{ learningRate: -1 }, /at least 0 for learningRate.* -1/],
  [{ learningRate: 1, momentum: 1 }, /from 0 to below 1 for momentum.* 1/],
  [{ learningRate: 1, momentum: -0.1 }, /momentum.* -0\.1/],
  [{ learningRate: 1, weightDecay: -0.1 }, /at least 0 for weightDecay.* -0\.1/],
  [{ learningRate: 1, decay: 'biases' }, /'all' or 'weights' for decay, but received "biases"/],
  [{ learningRate: 1, nesterov: 1 }, /true or false for nesterov.* 1/],
  [{ learningRate: 1, nesterov: true }, /above 0, along which nesterov looks ahead, for momentum.* 0/],
  [{ learningRate: 1, clipNorm: 0 }, /a finite number above 0 for clipNorm.* 0/],
  [{ learningRate: 1, clipNorm: '1' }, /for clipNorm, but received "1"/],
  [{ learningRate: 1, averaging: 0.9 }, /an average, such as ema\(0.999\), for averaging.* 0\.9/],
  [{ learningRate: 1, averaging: { kind: 'ema', decay: 1 } }, /below 1 for decay.* 1/],
  [{ learningRate: 1, averaging: { kind: 'ema', decay: 0, steps: 1 } }, /"steps" for averaging/],
  [{ learningRate: 1, weight_decay: 0.1 }, /"weight_decay" for sgd; .*weightDecay/],
]

for (const [options, message] of refused) {
  test(`sgd refuses ${JSON.stringify(options)}`, (t) => {
    t.throws(() => sgd(options as SgdOptions), { code: 'INVALID_ARGUMENT', message })
  })
}

const unfit: [optimizer: unknown, message: RegExp][] = [
  [{ learningRate: -1, momentum: 0, weightDecay: 0 }, /at least 0 for learningRate, but received -1/],
  [{ learningRate: 1, momentum: 1, weightDecay: 0 }, /below 1 for momentum, but received 1/],
  [{ learningRate: 1, momentum: 0, weightDecay: '0' }, /for weightDecay, but received "0"/],
  [{ learningrate: 1 }, /"learningrate"/],
  [{ learningRate: 1, momentum: 0, nesterov: true }, /for momentum, but received 0/],
  [null, /for optimizer, but received null/],
  [0.1, /for optimizer, but received 0\.1/],
  [{ kind: 'adagrad', learningRate: 1 }, /an optimizer, such as .* for optimizer, .*adagrad/],
  [{ kind: 'constructor' }, /an optimizer, such as .* for optimizer/],
  [{ kind: 5 }, /an optimizer, such as .* for optimizer/],
]

test("Adam's first step is the learning rate, whatever the gradient; those after it follow its means", async (t) => {
  const optimizer = adam({ learningRate: 0.125, beta1: 0.5, beta2: 0.75, epsilon: 0 })
  t.like(adam(), { kind: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 })
  const [net, plain] = [await linear(), await linear()]
  const weights = async (of: Sequential) => Array.from((await of.parameters())['dense0.weight']?.data ?? [])
  const before = await weights(net)
  await step(plain, images, labels, sgd({ learningRate: 1 }))
  const gradient = (await weights(plain)).map((w, i) => (before[i] as number) - w)
  await step(net, images, labels, optimizer)
  const once = await weights(net)
  for (const [i, w] of once.entries()) {
    const g = gradient[i] as number
    if (Math.abs(g) > 1e-3) t.true(Math.abs(w - (before[i] as number) + 0.125 * Math.sign(g)) < 1e-6, `${w}`)
  }
  t.true(gradient.some((g) => Math.abs(g) > 1e-3))
  const train = (await fashionMnist()).train.slice(0, 6000)
  const [trained, again] = [lenet(), lenet()]
  const losses = async (of: Sequential) => {
    await of.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
    const epochs: number[] = []
    const settings = { epochs: 3, batchSize: 50, optimizer: adam({ learningRate: 0.003 }) }
    for await (const { loss } of fit(of, train, settings)) epochs.push(loss)
    return epochs
  }
  const [first, , third] = await losses(trained)
  t.true((third as number) < 0.75 * (first as number), `${first} ${third}`)
  t.deepEqual((await losses(again))[2], third, 'and a seed decides it')
})

for (const [options, message] of [
  [{ beta1: 1 }, /below 1 for beta1, but received 1/],
  [{ beta2: -0.1 }, /from 0 to below 1 for beta2/],
  [{ epsilon: -1 }, /at least 0 for epsilon/],
  [{ learningRate: 'fast' }, /for learningRate, but received "fast"/],
  [{ betas: [0.9, 0.999] }, /"betas" for adam; it takes learningRate, .*beta1, beta2, epsilon/],
] as [object, RegExp][]) {
  test(`adam refuses ${JSON.stringify(options)}`, (t) => {
    t.throws(() => adam(options), { code: 'INVALID_ARGUMENT', message })
  })
}

/** What a step with each optimiser makes of the weights and of the biases of {@link linear}, from biases that are not 0. */
async function moved(optimizer: Optimizer): Promise<{ weight: Float32Array; bias: Float32Array }> {
  const net = await linear()
  await step(net, images, labels, sgd({ learningRate: 5 }))
  await step(net, images, labels, optimizer)
  const parameters = await net.parameters()
  const data = (name: string) => parameters[`dense0.${name}`]?.data ?? new Float32Array()
  return { weight: data('weight'), bias: data('bias') }
}

for (const [name, make] of Object.entries({
  sgd: (options: object) => sgd({ learningRate: 0.5, ...options }),
  nesterov: (options: object) => sgd({ learningRate: 0.5, momentum: 0.5, nesterov: true, ...options }),
  adam: (options: object) => adam({ learningRate: 0.5, epsilon: 1, ...options }),
  adamW: (options: object) => adamW({ learningRate: 0.5, epsilon: 1, ...options }),
})) {
  test(`${name} lets biases be if it is to, and decays weights`, async (t) => {
    const [none, all, weights] = [
      await moved(make({ weightDecay: 0 })),
      await moved(make({ weightDecay: 0.25 })),
      await moved(make({ weightDecay: 0.25, decay: 'weights' })),
    ]
    t.deepEqual(weights.weight, all.weight)
    t.deepEqual(weights.bias, none.bias)
    t.notDeepEqual(all.weight, none.weight)
    t.notDeepEqual(all.bias, none.bias)
  })
}

test('Nesterov looks ahead along the velocity, by what PyTorch says', async (t) => {
  const [start, plain] = [await linear(), await linear()]
  const weights = async (of: Sequential) => Array.from((await of.parameters())['dense0.weight']?.data ?? [])
  const before = await weights(start)
  await step(plain, images, labels, sgd({ learningRate: 1 }))
  await step(start, images, labels, sgd({ learningRate: 1, momentum: 0.5, nesterov: true }))
  const [free, ahead] = [await weights(plain), await weights(start)]
  t.is(ahead.length, 12)
  for (const [i, w] of ahead.entries()) {
    const g = (before[i] as number) - (free[i] as number)
    t.true(Math.abs((before[i] as number) - 1.5 * g - w) < 1e-6) // g + 0.5 v, where v is g
  }
})

test('AdamW takes its share of a weight and is Adam otherwise', async (t) => {
  t.like(adamW(), { kind: 'adamW', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 })
  const settings = { learningRate: 0.5, epsilon: 1 }
  const plain = await after(adam(settings))
  t.deepEqual(await after(adamW({ ...settings, weightDecay: 0 })), plain)
  const decayed = (await after(adamW({ ...settings, weightDecay: 0.25 })))['dense0.weight']?.data ?? []
  const start = (await (await linear()).parameters())['dense0.weight']?.data ?? []
  const expected = plain['dense0.weight']?.data ?? []
  t.is(decayed.length, 12)
  for (const [i, w] of decayed.entries()) {
    t.true(Math.abs(w - ((expected[i] as number) - 0.5 * 0.25 * (start[i] as number))) < 1e-6)
  }
})

/** All weights and biases, end to end. */
async function flat(net: Sequential): Promise<number[]> {
  return Object.values(await net.parameters()).flatMap(({ data }) => Array.from(data))
}

for (const [name, make] of Object.entries({
  sgd: (options: object) => sgd({ learningRate: 1, ...options }),
  nesterov: (options: object) => sgd({ learningRate: 1, momentum: 0.5, nesterov: true, ...options }),
  adam: (options: object) => adam({ learningRate: 1, epsilon: 1, ...options }),
  adamW: (options: object) => adamW({ learningRate: 1, epsilon: 1, ...options }),
})) {
  test(`${name} clips the norm of all gradients together`, async (t) => {
    const stepped = async (optimizer: Optimizer) => {
      const net = await linear()
      const before = await flat(net)
      await step(net, images, labels, optimizer)
      return (await flat(net)).map((w, i) => w - (before[i] as number))
    }
    const free = await stepped(make({}))
    t.deepEqual(await stepped(make({ clipNorm: 1e6 })), free, 'a norm that is within it is left alone')
    t.notDeepEqual(await stepped(make({ clipNorm: 0.01 })), free)
    if (name !== 'sgd') return
    const norm = Math.hypot(...free)
    const clipped = await stepped(make({ clipNorm: 0.01 }))
    t.true(clipped.length === 15 && norm > 0.02)
    for (const [i, change] of clipped.entries()) {
      t.true(Math.abs(change - ((free[i] as number) * 0.01) / (norm + 1e-6)) < 1e-7)
    }
  })

  test(`${name} trains by the parameters and answers by their average`, async (t) => {
    const [net, raw] = [await linear(), await linear()]
    const [averaged, plain] = [make({ averaging: ema(0.25) }), make({})]
    let expected = await flat(raw)
    for (let number = 1; number <= 4; number++) {
      await step(net, images, labels, averaged)
      await step(raw, images, labels, plain)
      const share = 1 - Math.min(0.25, (1 + number) / (10 + number))
      expected = (await flat(raw)).map((w, i) => share * w + (1 - share) * (expected[i] as number))
      for (const [i, w] of (await flat(net)).entries())
        t.true(Math.abs(w - (expected[i] as number)) < 1e-5, `${number}`)
    }
  })
}

test('predictions, evaluation and files are of the average; other parameters begin it anew', async (t) => {
  const optimizer = sgd({ learningRate: 2, averaging: ema(0.9) })
  const [net, other] = [await linear(), await linear()]
  for (let i = 0; i < 3; i++) await step(net, images, labels, optimizer)
  const file = join(await mkdtemp(join(tmpdir(), 'candlewick-')), 'average.safetensors')
  await net.saveParameters(file)
  await other.loadParameters(file)
  t.deepEqual(await other.parameters(), await net.parameters())
  t.deepEqual(await other.predict(images), await net.predict(images))
  const data = await arrayDataset({ images, labels })
  t.deepEqual(await evaluate(other, data), await evaluate(net, data))
  await net.loadParameters(file)
  t.deepEqual(await net.parameters(), await other.parameters())
  await step(net, images, labels, optimizer)
  await step(other, images, labels, optimizer)
  t.deepEqual(await net.parameters(), await other.parameters())
  await step(net, images, labels, sgd({ learningRate: 0 }))
  t.notDeepEqual(await net.parameters(), await other.parameters(), 'an optimiser without one has none')
})

test('an optimiser made by hand may say its kind, and does what one of its function does', async (t) => {
  for (const [byHand, made] of [
    [{ kind: 'sgd', learningRate: 0.5 }, sgd({ learningRate: 0.5 })],
    [{ learningRate: 0.5 }, sgd({ learningRate: 0.5 })],
    [{ kind: 'adam', beta1: 0.5 }, adam({ beta1: 0.5 })],
    [{ kind: 'adamW', beta1: 0.5 }, adamW({ beta1: 0.5 })],
  ] as [Optimizer, Optimizer][]) {
    const after = async (optimizer: Optimizer) => {
      const net = await linear()
      await step(net, images, labels, optimizer)
      return net.parameters()
    }
    t.deepEqual(await after(byHand), await after(made), JSON.stringify(byHand))
  }
})

test('an optimiser or an activation that cannot be read is refused by its name', async (t) => {
  const unreadable = {
    get kind(): never {
      throw new Error('no')
    },
  }
  const refused = (name: string) => ({ code: 'INVALID_ARGUMENT', message: `${name} cannot be read: no.` })
  await t.throwsAsync(step(await linear(), images, labels, unreadable as never), refused('optimizer'))
  t.throws(() => dense({ units: 1, activation: unreadable as never }), refused('activation'))
})

for (const [optimizer, message] of unfit) {
  test(`${JSON.stringify(optimizer)} does not stand for an optimiser`, async (t) => {
    const net = await linear()
    const expected = { code: 'INVALID_ARGUMENT', message }
    await t.throwsAsync(step(net, images, labels, optimizer as Optimizer), expected)
    t.deepEqual(await net.parameters(), await (await linear()).parameters())
  })
}
