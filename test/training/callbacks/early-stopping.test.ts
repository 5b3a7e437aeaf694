import test from 'ava'
import { type EarlyStoppingOptions, type Epoch, earlyStopping, evaluate } from 'candlewick'
import { linear, stripes, train } from '../stripes.js'
import { losses, told } from './run.js'

test('training ends when so many epochs in a row are no better', async (t) => {
  const figures = losses(5, 4, 4, 4.5, 3, 3, 3, 3, 3)
  t.is((await told(earlyStopping({ patience: 3 }), figures)).epochs, 8)
  t.is((await told(earlyStopping(), figures)).epochs, 8, '3 by default')
  t.is((await told(earlyStopping({ patience: 2 }), figures)).epochs, 4)
  t.is((await told(earlyStopping({ patience: 1 }), figures)).epochs, 3)
  t.is((await told(earlyStopping({ patience: 5 }), figures)).epochs, 9)
})

test('an epoch must be better by more than minDelta', async (t) => {
  const figures = losses(5, 4.5, 4.5, 4.5)
  t.is((await told(earlyStopping({ patience: 2, minDelta: 0.5 }), figures)).epochs, 3)
  t.is((await told(earlyStopping({ patience: 2, minDelta: 0.49 }), figures)).epochs, 4)
})

test('of accuracies, more is better, of all else less, unless mode says so', async (t) => {
  const rising: Partial<Epoch>[] = [1, 2, 3, 4, 5].map((value) => ({ testAcc: value, testLoss: value, loss: -value }))
  const epochs = async (options: object) => (await told(earlyStopping({ patience: 1, ...options }), rising)).epochs
  t.is(await epochs({ monitor: 'testAcc' }), 5)
  t.is(await epochs({ monitor: 'testAcc', mode: 'min' }), 2)
  t.is(await epochs({ monitor: 'testLoss' }), 2)
  t.is(await epochs({ monitor: 'testLoss', mode: 'max' }), 5)
  t.is(await epochs({}), 2, 'the loss of the test images, where there are any')
  t.is((await told(earlyStopping({ patience: 1 }), losses(3, 2, 1, 1))).epochs, 4, 'or of the training images')
  const validated = rising.map((figures) => ({ ...figures, valLoss: -(figures.testLoss ?? 0) }))
  t.is((await told(earlyStopping({ patience: 1 }), validated)).epochs, 5, 'or of the validation images first of all')
})

test('NaN is never better, and anything is better than NaN', async (t) => {
  const nan = Number.NaN
  t.is((await told(earlyStopping({ patience: 2 }), losses(nan, 3, nan, nan, 1))).epochs, 4)
  t.is((await told(earlyStopping({ patience: 2 }), losses(nan, nan, 1))).epochs, 2)
  const infinite = losses(Number.POSITIVE_INFINITY, 3, 2)
  t.is((await told(earlyStopping({ patience: 1 }), infinite)).epochs, 3)
})

test('bestEpoch is the best, and a fit begins anew', async (t) => {
  const stopping = earlyStopping({ patience: 2 })
  t.is(stopping.bestEpoch, undefined)
  await told(stopping, losses(3, 1, 2, 2))
  t.is(stopping.bestEpoch, 2)
  t.is((await told(stopping, losses(9, 8, 8, 8))).epochs, 4)
  t.is(stopping.bestEpoch, 2)
})

test('what is remembered goes on, and is checked', async (t) => {
  const figures = losses(5, 4, 4.5)
  const { state } = await told(earlyStopping(), figures)
  const stopping = earlyStopping()
  t.is((await told(stopping, losses(4.5, 4.5, 1), { state })).epochs, 2)
  t.is(stopping.bestEpoch, 2)
  const nan = await told(earlyStopping({ patience: 9 }), losses(Number.NaN))
  t.is((await told(earlyStopping({ patience: 9 }), losses(1), { state: nan.state })).epochs, 1)
  const good = { best: 1, bestEpoch: 1, waited: 0, parameters: null }
  t.notThrows(() => earlyStopping().restore?.(good))
  const parameter = { shape: [2], data: 'AAAAAAAAAAA=' }
  t.notThrows(() => earlyStopping().restore?.({ ...good, parameters: { w: parameter } }))
  for (const wrong of [
    undefined,
    {},
    { ...good, best: 'x' },
    { ...good, bestEpoch: 0 },
    { ...good, waited: -1 },
    { ...good, parameters: 'x' },
    { ...good, parameters: { w: { ...parameter, shape: [3] } } },
    { ...good, parameters: { w: { ...parameter, shape: null } } },
    { ...good, parameters: { w: { ...parameter, data: 5 } } },
  ]) {
    const refused = { code: 'CHECKPOINT_INVALID', message: /earlyStopping/ }
    t.throws(() => earlyStopping().restore?.(wrong), refused, JSON.stringify(wrong))
  }
})

/** Of a training whose loss falls, the first epoch has the most. */
const most = { monitor: 'testLoss', mode: 'max', patience: 2 } as const

async function trained(options: EarlyStoppingOptions, epochs = 6) {
  const [net, images] = [await linear(), await stripes(40)]
  const all = await train(net, { epochs, test: images, callbacks: [earlyStopping(options)] })
  return { losses: all.map(({ testLoss = 0 }) => testLoss), atEnd: (await evaluate(net, images)).loss }
}

test("the best epoch's parameters are put back at the end", async (t) => {
  const left = await trained(most)
  t.is(left.losses.length, 3)
  t.is(left.atEnd, left.losses[2] as number)
  const restored = await trained({ ...most, restoreBest: true })
  t.is(restored.losses.length, 3)
  t.is(restored.atEnd, restored.losses[0] as number)
  const short = await trained({ ...most, restoreBest: true }, 2)
  t.is(short.atEnd, short.losses[0] as number, 'also where nobody stopped it')
})

test("a checkpoint holds the best epoch's parameters", async (t) => {
  const [first, second] = [await linear(1), await linear(2)]
  const best = await first.parameters()
  const { state } = await told(earlyStopping({ restoreBest: true }), losses(1), { net: first })
  await told(earlyStopping({ restoreBest: true }), losses(2), { net: second, state })
  t.deepEqual(await second.parameters(), best)
})

test('a figure that is not there is refused by name, with those that are', async (t) => {
  const refused = (message: RegExp) => ({ code: 'INVALID_ARGUMENT', message })
  await t.throwsAsync(
    train(await linear(), { callbacks: [earlyStopping({ monitor: 'testAcc' })] }),
    refused(
      /monitor, but received "testAcc"; they have epoch, loss, trainAcc, .*\. Those of test images .* option test/,
    ),
  )
  const typo = earlyStopping({ monitor: 'acc' as never })
  await t.throwsAsync(train(await linear(), { callbacks: [typo] }), refused(/"acc"; they have .*trainSeconds\.$/))
})

test('options are checked', (t) => {
  for (const [options, message] of [
    [{ patience: 0 }, /at least 1 for patience/],
    [{ monitor: 5 }, /monitor/],
    [{ minDelta: -1 }, /minDelta/],
    [{ mode: 'least' }, /"min" or "max" for mode/],
    [{ restoreBest: 1 }, /restoreBest/],
    [{ patients: 1 }, /"patients" for earlyStopping/],
  ] as [object, RegExp][]) {
    t.throws(() => earlyStopping(options), { code: 'INVALID_ARGUMENT', message })
  }
})
