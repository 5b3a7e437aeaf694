/** Images that a fit is validated by: of their own, or split off those to train on. */

import { join } from 'node:path'
import test from 'ava'
import {
  arrayDataset,
  type Dataset,
  dense,
  type Epoch,
  type EpochProgress,
  evaluate,
  type FitOptions,
  fit,
  formatEpoch,
  meanSquaredError,
  Sequential,
  sgd,
} from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'
import { network, options as resumable, squares } from './resumable.js'
import { linear, stripes } from './stripes.js'

const options: FitOptions = { epochs: 2, batchSize: 10, optimizer: sgd({ learningRate: 0.1 }) }

async function epochs(net: Sequential, data: Dataset, changes: Partial<FitOptions> = {}): Promise<Epoch[]> {
  const all: Epoch[] = []
  for await (const epoch of fit(net, data, { ...options, ...changes })) all.push(epoch)
  return all
}

const figures = ({ trainSeconds, evalSeconds, ...rest }: Epoch) => rest

test('a dataset is evaluated after each epoch, beside that of the test', async (t) => {
  const [net, alone, data] = [await linear(), await linear(), await stripes(150)]
  const [train, validation, test] = [data.slice(0, 100), data.slice(100, 117), data.slice(117)]
  const found = await epochs(net, train, { validation, test })
  const losses = (all: Epoch[]) => all.map(({ loss }) => loss)
  t.deepEqual(losses(await epochs(alone, train)), losses(found))
  t.deepEqual(await net.parameters(), await alone.parameters(), 'and changes nothing')
  const last = found.at(-1) as Epoch
  const [validated, tested] = [await evaluate(net, validation), await evaluate(net, test)]
  t.deepEqual([last.valLoss, last.valAcc], [validated.loss, validated.accuracy])
  t.deepEqual([last.testLoss, last.testAcc], [tested.loss, tested.accuracy])
  t.not(last.valLoss, last.testLoss)
  t.true((last.evalSeconds ?? 0) > 0)
})

for (const [whose, changes, seed] of [
  ["the network's", {}, 4],
  ["the fit's own", { seed: 8 }, 8],
] as const) {
  test(`a share is kept out of the training, by ${whose} seed`, async (t) => {
    const [net, other, data] = [await linear(4), await linear(4), await stripes(100)]
    const progress: EpochProgress[] = []
    const [train, kept] = data.split([0.75, 0.25], { stratify: true, seed })
    const found = await epochs(net, data, { validation: 0.25, ...changes, onProgress: (p) => progress.push(p) })
    t.deepEqual(
      await epochs(other, train, { validation: kept, ...changes }).then((all) => all.map(figures)),
      found.map(figures),
    )
    t.deepEqual(await net.parameters(), await other.parameters())
    t.is(found.at(-1)?.valLoss, (await evaluate(net, kept)).loss)
    t.true(progress.every(({ total }) => total === train.length))
    const ones = [...kept.labels()].reduce((sum, label) => sum + label, 0)
    t.true(ones === 12 || ones === 13, `${ones} of 25 of a class that half of them are`)
  })
}

test('a callback is told of as many steps as there are', async (t) => {
  const seen: number[] = []
  const callbacks = [{ onBegin: (run: { stepsPerEpoch: number }) => void seen.push(run.stepsPerEpoch) }]
  await epochs(await linear(), await stripes(100), { validation: 0.3, callbacks })
  t.deepEqual(seen, [7])
})

test('a part of a split trains and is evaluated as a dataset of its own', async (t) => {
  const [part] = (await stripes(100)).split([0.5], { seed: 2 })
  const copy = await arrayDataset({ images: part.images(), labels: part.labels() })
  for (const shuffle of [true, false]) {
    const [net, other] = [await linear(), await linear()]
    const [found, expected] = [await epochs(net, part, { shuffle }), await epochs(other, copy, { shuffle })]
    t.deepEqual(found.map(figures), expected.map(figures))
    t.deepEqual(await net.parameters(), await other.parameters())
    t.deepEqual(await evaluate(net, part), await evaluate(net, copy))
    t.deepEqual(await evaluate(net, part.slice(3, 9)), await evaluate(net, copy.slice(3, 9)))
  }
})

test('of a loss without right answers, there is a loss', async (t) => {
  const images = (await stripes(40)).images()
  const data = await arrayDataset({ images, targets: { data: new Float32Array(40), shape: [40, 1] } })
  const net = new Sequential([dense({ units: 1 })])
  await net.initialize({ inputShape: [1, 6, 6], device: 'cpu', seed: 1 })
  const [, last] = await epochs(net, data, { validation: 0.25, test: data, loss: meanSquaredError() })
  t.false('valAcc' in (last as Epoch))
  const { valLoss = 0, testLoss = 0 } = last as Epoch
  const line = `, val loss ${valLoss.toFixed(4)}, test loss ${testLoss.toFixed(4)}, time `
  t.true(formatEpoch(last as Epoch).includes(line), formatEpoch(last as Epoch))
})

/** What a training came to that is validated by a share. */
async function outcome(net: Sequential, data: Dataset, settings: FitOptions): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const epoch of fit(net, data, settings)) all.push(figures(epoch))
  return [...all, await net.parameters()]
}

test('resumed, a training has the same images split off, whatever the network and its seed were', async (t) => {
  const checkpoint = join(await temporaryFolder(t), 'run.safetensors')
  const fresh = async (seed: number) => {
    const net = network()
    await net.initialize({ inputShape: [1, 12, 12], device: 'cpu', seed })
    return net
  }
  const data = await squares()
  for (const own of [{}, { seed: 6 }]) {
    const metrics = { topK: [2], perClass: true, confusion: true }
    const shared = { ...(await resumable(undefined, {})), validation: 0.2, metrics, ...own }
    const expected = await outcome(await fresh(3), data, shared)
    const controller = new AbortController()
    const interrupted = fit(await fresh(3), data, { ...shared, checkpoint, signal: controller.signal })
    await t.throwsAsync(
      async () => {
        for await (const { epoch } of interrupted) if (epoch === 2) controller.abort(new Error('enough'))
      },
      { message: 'enough' },
    )
    t.deepEqual(await outcome(await fresh(99), data, { ...shared, seed: 70, resume: checkpoint }), expected.slice(2))
    for (const [validation, shares] of [
      [0.1, /with a validation share of 0\.2, but this one has 0\.1; resume with the same\.$/],
      [data.slice(0, 100), /with a validation share of 0\.2, but this one has none; /],
    ] as const) {
      const resume = fit(await fresh(3), data, { ...shared, validation, resume: checkpoint })
      await t.throwsAsync(() => resume.next(), { code: 'CHECKPOINT_INVALID', message: shares })
    }
  }
})

const refusals: [what: string, validation: unknown, code: string, message: RegExp][] = [
  ['a share of 0', 0, 'INVALID_ARGUMENT', /a share above 0 and below 1 for validation, .* 0\.$/],
  ['a share of 1', 1, 'INVALID_ARGUMENT', /for validation, .* 1\.$/],
  ['a share of NaN', Number.NaN, 'INVALID_ARGUMENT', /for validation, .* NaN/],
  ['a share in words', '10%', 'INVALID_ARGUMENT', /a Dataset, .* for validation, .* "10%"/],
  ['a share of no image', 0.001, 'INVALID_ARGUMENT', /^Class 0 has 50 images, of which a share of 0\.001 is none/],
]

for (const [what, validation, code, message] of refusals) {
  test(`a validation by ${what} is refused`, async (t) => {
    const net = await linear()
    const run = epochs(net, await stripes(100), { validation: validation as number })
    await t.throwsAsync(run, { code, message })
    t.is((await epochs(net, await stripes(100))).length, 2, 'the network is free')
  })
}

test('validation images that do not fit are refused before the first step', async (t) => {
  const net = await linear()
  const before = await net.parameters()
  const data = await stripes(100)
  const other = await arrayDataset({ images: { data: new Uint8Array(9), shape: [1, 1, 3, 3] }, labels: [0] })
  await t.throwsAsync(epochs(net, data, { validation: other }), { code: 'INVALID_SHAPE', message: /\(1, 3, 3\)/ })
  const empty = { code: 'INVALID_ARGUMENT', message: /^The validation dataset has no images\.$/ }
  await t.throwsAsync(epochs(net, data, { validation: data.slice(1, 1) }), empty)
  t.deepEqual(await net.parameters(), before)
})
