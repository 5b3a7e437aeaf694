import test from 'ava'
import { history } from 'candlewick'
import { linear, stripes, train } from '../stripes.js'
import { losses, told } from './run.js'

test('figures are arrays, one number for each epoch', async (t) => {
  const h = history()
  t.deepEqual([h.epoch, h.loss, h.testAcc], [[], [], undefined])
  const all = await train(await linear(), { callbacks: [h], test: await stripes(20) })
  t.deepEqual(h.epoch, [1, 2, 3])
  t.deepEqual(
    h.loss,
    all.map(({ loss }) => loss),
  )
  t.deepEqual(
    h.trainAcc,
    all.map(({ trainAcc }) => trainAcc as number),
  )
  for (const name of ['testLoss', 'testAcc', 'learningRate', 'trainSeconds', 'evalSeconds'] as const) {
    t.is(h[name]?.length, 3, name)
  }
  t.deepEqual(JSON.parse(JSON.stringify(h)).loss, h.loss, 'as JSON, it is its figures')
})

test('epochs without a figure have NaN', async (t) => {
  const h = history()
  await told(h, [{}, { testLoss: 2 }, {}, { testLoss: 4 }])
  t.deepEqual(h.testLoss, [Number.NaN, 2, Number.NaN, 4])
  t.deepEqual(h.epoch, [1, 2, 3, 4])
})

test('another fit begins anew', async (t) => {
  const h = history()
  await told(h, [{ testLoss: 2 }])
  await told(h, losses(3, 2))
  t.deepEqual([h.epoch, h.loss, h.testLoss], [[1, 2], [3, 2], undefined])
  t.false('testLoss' in h)
})

test('what is remembered goes on', async (t) => {
  const { state } = await told(history(), [{ loss: 3, testLoss: Number.NaN }])
  const h = history()
  await told(h, [{ loss: 2, testLoss: 1 }], { state })
  t.deepEqual(
    [h.epoch, h.loss, h.testLoss],
    [
      [1, 2],
      [3, 2],
      [Number.NaN, 1],
    ],
  )
  for (const wrong of [null, {}, { figures: { loss: 5 } }, { figures: 5 }, { figures: { loss: ['y'] } }]) {
    t.throws(() => h.restore?.(wrong), { code: 'CHECKPOINT_INVALID', message: /history/ })
  }
})
