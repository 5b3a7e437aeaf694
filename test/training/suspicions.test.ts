/** What is silently useless is said, once in a process: each of these runs in one of its own. */

import { spawn } from 'node:child_process'
import test, { type ExecutionContext } from 'ava'
import { dense } from 'candlewick'
import { finish } from '../run-command.js'

const beginning = `
import { arrayDataset, dense, fit, Sequential, sgd, step } from 'candlewick'
const made = async (...layers) => {
  const net = new Sequential(layers)
  await net.initialize({ inputShape: [1, 4, 4], device: 'cpu', seed: 1 })
  return net
}
const bytes = Uint8Array.from({ length: 640 }, (_, i) => 240 * (Math.floor(i / 16) % 2) + (i % 16))
const shape = [40, 1, 4, 4]
const labels = Uint8Array.from({ length: 40 }, (_, i) => i % 2)
const data = await arrayDataset({ images: { data: bytes, shape }, labels })
const train = async (net, changes) => {
  const options = { epochs: 4, batchSize: 8, optimizer: sgd({ learningRate: 0.1 }), ...changes }
  for await (const _ of fit(net, data, options));
}
`

/** The warnings of a program, by their codes. */
async function warnings(t: ExecutionContext, program: string, ...flags: string[]): Promise<string[]> {
  const args = ['--input-type=module', ...flags, '--eval', beginning + program]
  const { end, stderr } = await finish(spawn(process.execPath, args))
  t.is(end, 0, stderr)
  return Array.from(
    stderr.matchAll(/\[(CANDLEWICK_\w+)\] CandlewickWarning: (.*)/g),
    ([, code, message]) => `${code}: ${message}`,
  )
}

test('float32 images that look like bytes', async (t) => {
  const net = 'const net = await made(dense({ units: 2 })); const images = { data: Float32Array.from(bytes), shape };'
  const told = /^CANDLEWICK_IMAGE_RANGE: The images are float32 with whole numbers up to 255, .* divide them by 255\.$/
  const [stepped, ...others] = await warnings(
    t,
    `${net} for (let i = 0; i < 2; i++) await step(net, images, labels, sgd({ learningRate: 1e-4 })); await net.predict(images)`,
  )
  t.regex(stepped ?? '', told)
  t.deepEqual(others, [], 'once')
  t.regex((await warnings(t, `${net} await net.predict(images)`))[0] ?? '', told)
  const after = /^CANDLEWICK_IMAGE_RANGE: The images to predict hold values of 255, but those .* trained on 1 at most/
  t.regex((await warnings(t, `${net} await train(net); await net.predict(images)`))[0] ?? '', after)
})

test('a network that ends in relu, and a loss that stays where guessing is', async (t) => {
  const relu = "const net = await made(dense({ units: 2, activation: 'relu' }));"
  const [end] = await warnings(t, `${relu} await train(net, { optimizer: sgd({ learningRate: 0 }) })`)
  t.regex(end ?? '', /^CANDLEWICK_RELU_AT_END: The last layer \(dense\) ends in relu/)
  const stays = await warnings(
    t,
    `const net = await made(dense({ units: 2 }))
    const wrong = labels.map((label) => 1 - label)
    for (let i = 0; i < 9; i++) await step(net, { data: bytes, shape }, wrong, sgd({ learningRate: 1 }))
    await train(net, { optimizer: sgd({ learningRate: 0 }) })`,
  )
  t.regex(
    stays[0] ?? '',
    /^CANDLEWICK_LOSS_STAYS: The loss is \d\.\d{4}, and was .* guessing among 2 classes has 0\.6931/,
  )
})

test('what is as it should be is not warned of, and warnings can be turned off', async (t) => {
  const fine = `const net = await made(dense({ units: 8, activation: 'relu' }), dense({ units: 2 }))
    await train(net)
    const floats = Float32Array.from(bytes, (value) => value / 255)
    await step(net, { data: floats, shape }, labels, sgd({ learningRate: 0.1 }))
    await net.predict({ data: floats.map((value) => 5 * value - 2), shape })
    await net.predict({ data: bytes, shape })`
  t.deepEqual(await warnings(t, fine), [])
  const program = "await train(await made(dense({ units: 2, activation: 'relu' })))"
  t.deepEqual(await warnings(t, program, '--disable-warning=CANDLEWICK_RELU_AT_END'), [])
})

test('a network that normalizes is warned of bytes as float32 only where its normalization is not made of such', async (t) => {
  const floats = 'const floats = { data: Float32Array.from(bytes), shape };'
  const made = (normalize: string) => `
    const net = new Sequential([dense({ units: 2 })])
    await net.initialize({ inputShape: [1, 4, 4], device: 'cpu', normalize: ${normalize} })
    await net.predict(floats)`
  t.deepEqual(await warnings(t, `${floats} ${made('{ mean: [127], deviation: [120] }')}`), [])
  const trained = `${floats} const net = await made(dense({ units: 2 }))
    const wide = await arrayDataset({ images: floats, labels })
    for await (const _ of fit(net, wide, { epochs: 1, batchSize: 8, optimizer: sgd({ learningRate: 0.1 }), normalize: 'mean-deviation' }));
    await net.predict(floats)`
  t.deepEqual(await warnings(t, trained), [])
  const [told] = await warnings(t, `${floats} ${made('{ mean: [0.5], deviation: [0.4] }')}`)
  t.regex(told ?? '', /^CANDLEWICK_IMAGE_RANGE: The images are float32 with whole numbers up to 255/)
})

test('softmax as an activation is refused, with where it is', (t) => {
  const message = /^Softmax is part of the loss, .* predict gives probabilities\.$/
  t.throws(() => dense({ units: 2, activation: 'softmax' as never }), { code: 'INVALID_ARGUMENT', message })
})
