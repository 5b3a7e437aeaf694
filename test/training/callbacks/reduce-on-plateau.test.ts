import test from 'ava'
import { type ReduceOnPlateauOptions, reduceOnPlateau, sgd } from 'candlewick'
import { linear, train } from '../stripes.js'
import { losses, told } from './run.js'

const factors = async (options: ReduceOnPlateauOptions, ...all: number[]) => {
  const { factors, state } = await told(reduceOnPlateau(options), losses(...all, 0))
  return { factors: factors.map((factor) => Number(factor.toPrecision(6))), state }
}

/** Keras' ReduceLROnPlateau of 3.12, epoch by epoch, with rates that begin at 1. */
function keras(options: Required<Omit<ReduceOnPlateauOptions, 'monitor' | 'mode'>>, all: number[]): number[] {
  const { factor, patience, minDelta, cooldown, minFactor } = options
  let [rate, best, wait, cooling] = [1, Number.POSITIVE_INFINITY, 0, 0]
  return all.map((loss) => {
    if (cooling > 0) {
      cooling -= 1
      wait = 0
    }
    if (loss < best - minDelta) {
      best = loss
      wait = 0
    } else if (cooling === 0) {
      wait += 1
      if (wait >= patience && rate > minFactor) {
        rate = Math.max(rate * factor, minFactor)
        cooling = cooldown
        wait = 0
      }
    }
    return rate
  })
}

test('the rate becomes smaller after so many epochs that are no better', async (t) => {
  t.deepEqual((await factors({ patience: 2 }, 3, 2, 2, 2, 2, 2)).factors, [1, 1, 1, 1, 0.1, 0.1, 0.01])
  t.deepEqual((await factors({ patience: 1, factor: 0.5 }, 3, 2, 2, 1)).factors, [1, 1, 1, 0.5, 0.5])
  const ten = (await factors({}, 1, ...Array(10).fill(1))).factors
  t.deepEqual(ten, [...Array(11).fill(1), 0.1], '10 by default')
})

test('a difference of 1e-4 counts by default, of less not', async (t) => {
  t.deepEqual((await factors({ patience: 1 }, 1, 0.99995)).factors, [1, 1, 0.1])
  t.deepEqual((await factors({ patience: 1 }, 1, 0.9998)).factors, [1, 1, 1])
})

test('epochs of the cooldown are not counted', async (t) => {
  const found = await factors({ patience: 1, cooldown: 2 }, 1, 1, 1, 1, 1, 1)
  t.deepEqual(found.factors, [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001])
})

test('it is no smaller than minFactor', async (t) => {
  const found = await factors({ patience: 1, minFactor: 0.05 }, 1, 1, 1, 1, 1)
  t.deepEqual(found.factors, [1, 1, 0.1, 0.05, 0.05, 0.05])
})

test('it does what Keras does, epoch by epoch', async (t) => {
  let random = 1
  const next = (below: number) => {
    random = (random * 48271) % 2147483647
    return random % below
  }
  for (let i = 0; i < 200; i++) {
    const options = {
      factor: 0.5,
      patience: 1 + next(4),
      minDelta: next(3) / 10,
      cooldown: next(4),
      minFactor: next(2) / 8,
    }
    const all = Array.from({ length: 30 }, () => next(10) / 10)
    const { factors } = await told(reduceOnPlateau(options), losses(...all, 0))
    t.deepEqual(factors.slice(1), keras(options, all), JSON.stringify(options))
  }
})

test('what is remembered goes on; another fit begins anew', async (t) => {
  const options = { patience: 3, cooldown: 2 }
  const all = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
  const whole = (await told(reduceOnPlateau(options), losses(...all))).factors
  const callback = reduceOnPlateau(options)
  for (let cut = 1; cut < all.length; cut++) {
    const { state } = await told(reduceOnPlateau(options), losses(...all.slice(0, cut)))
    const rest = (await told(callback, losses(...all.slice(cut)), { state })).factors
    t.deepEqual(rest, whole.slice(cut), `cut at ${cut}`)
  }
  t.deepEqual((await told(callback, losses(...all))).factors, whole)
  for (const wrong of [null, { best: 1 }, { best: 1, waited: -1, cooling: 0 }, { best: 1, waited: 0, cooling: 'x' }]) {
    t.throws(() => callback.restore?.(wrong), { code: 'CHECKPOINT_INVALID', message: /reduceOnPlateau/ })
  }
})

test('the training is given the smaller rate', async (t) => {
  const options = { callbacks: [reduceOnPlateau({ patience: 1, minDelta: 1e9 })], optimizer: sgd({ learningRate: 1 }) }
  const all = await train(await linear(), options)
  t.deepEqual(
    all.map(({ learningRate }) => learningRate),
    [1, 1, 0.1],
  )
})

test('options are checked', (t) => {
  for (const [options, message] of [
    [{ factor: 0 }, /a number above 0 for factor/],
    [{ factor: 1 }, /below 1 for factor/],
    [{ patience: 0 }, /patience/],
    [{ cooldown: -1 }, /cooldown/],
    [{ minFactor: -1 }, /minFactor/],
    [{ minLr: 1 }, /"minLr" for reduceOnPlateau/],
  ] as [object, RegExp][]) {
    t.throws(() => reduceOnPlateau(options), { code: 'INVALID_ARGUMENT', message })
  }
})
