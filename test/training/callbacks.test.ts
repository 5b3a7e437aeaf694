import test from 'ava'
import {
  type Callback,
  CandlewickError,
  type Epoch,
  type FitOptions,
  fit,
  type Run,
  randomFlip,
  randomShift,
  type StepFigures,
  sgd,
  softmaxCrossEntropy,
  stepDecay,
} from 'candlewick'
import { attend } from '#dist/training/run.js'
import { epochOf, linear, stripes, train } from './stripes.js'

/** A callback that writes down what it is told. */
function diary(name: string, entries: string[]): Callback {
  return {
    onBegin: () => void entries.push(`${name} begin`),
    async onEpoch({ epoch }) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      entries.push(`${name} ${epoch}`)
    },
    onEnd: () => void entries.push(`${name} end`),
  }
}

test('callbacks are told in their order, then plain options, each awaited, before the epoch is yielded', async (t) => {
  const entries: string[] = []
  const options: FitOptions = {
    epochs: 2,
    batchSize: 50,
    optimizer: sgd({ learningRate: 0.1 }),
    callbacks: [diary('a', entries), ({ epoch }) => void entries.push(`b ${epoch}`)],
    onEpoch: ({ epoch }) => void entries.push(`c ${epoch}`),
    onEnd: () => void entries.push('c end'),
  }
  for await (const { epoch } of fit(await linear(), await stripes(100), options)) entries.push(`loop ${epoch}`)
  t.deepEqual(entries, [
    'a begin',
    ...['a 1', 'b 1', 'c 1', 'loop 1'],
    ...['a 2', 'b 2', 'c 2', 'loop 2'],
    ...['a end', 'c end'],
  ])
})

test('a run says what it belongs to, and its history has the epoch that it is told of', async (t) => {
  const net = await linear()
  const seen: unknown[] = []
  const onEpoch = (epoch: Epoch, run: Run) => {
    seen.push([run.net === net, run.epochs, run.stepsPerEpoch, run.learningRateFactor])
    t.is(run.history.at(-1), epoch)
  }
  let told: readonly Epoch[] = []
  const onEnd = ({ history }: Run) => {
    told = history
  }
  t.deepEqual(await train(net, { epochs: 2, batchSize: 30, callbacks: [onEpoch], onEnd }), told)
  t.deepEqual(seen, [
    [true, 2, 4, 1],
    [true, 2, 4, 1],
  ])
})

test('a training by steps gives the bits of one by epochs, and its figures', async (t) => {
  const options: Partial<FitOptions> = {
    epochs: 3,
    batchSize: 30,
    optimizer: sgd({ learningRate: stepDecay({ learningRate: 0.1, every: 5 }), momentum: 0.9 }),
    augment: [randomFlip(), randomShift(1)],
    test: await stripes(20),
  }
  const [whole, byStep] = [await linear(), await linear()]
  const steps: StepFigures[] = []
  const expected = await train(whole, options)
  const optimizer = sgd({ learningRate: stepDecay({ learningRate: 0.1, every: 5 }), momentum: 0.9 })
  const found = await train(byStep, { ...options, optimizer, onStep: (step) => void steps.push(step) })
  t.deepEqual(await byStep.parameters(), await whole.parameters())
  for (const [i, { loss, trainAcc, testLoss, testAcc, learningRate }] of found.entries()) {
    t.true(Math.abs(loss - (expected[i]?.loss ?? 0)) < 1e-6)
    t.like(expected[i], { trainAcc, testLoss, testAcc, learningRate })
  }
  t.deepEqual(
    steps.map(({ epoch, step, images, total }) => [epoch, step, images, total]),
    [1, 2, 3].flatMap((epoch) => [30, 60, 90, 100].map((images, i) => [epoch, 4 * (epoch - 1) + i + 1, images, 100])),
  )
  const rates = steps.map(({ learningRate }) => Number(learningRate.toPrecision(6)))
  t.deepEqual(rates, [...Array(5).fill(0.1), ...Array(5).fill(0.01), 0.001, 0.001])
  const sum = steps.slice(0, 4).reduce((sum, { loss }, i) => sum + loss * (i < 3 ? 30 : 10), 0)
  t.true(Math.abs(sum / 100 - (found[0]?.loss ?? 0)) < 1e-12)
})

test('stop ends the training after its epoch, or after its step, and that epoch is yielded', async (t) => {
  t.is((await train(await linear(), { epochs: 9, onEpoch: ({ epoch }, run) => epoch === 2 && run.stop() })).length, 2)
  const steps: StepFigures[] = []
  const [net, other] = [await linear(), await linear()]
  const onStep = (step: StepFigures, run: Run) => {
    steps.push(step)
    if (step.step === 13) run.stop()
  }
  const all = await train(net, { epochs: 9, onStep })
  t.is(steps.length, 13)
  t.is(all.length, 2)
  const mean = steps.slice(10).reduce((sum, { loss }) => sum + loss / 3, 0)
  t.true(Math.abs((all[1]?.loss ?? 0) - mean) < 1e-12, 'the figures of what there was of it')
  await train(other, { epochs: 9, onStep: (step, run) => step.step === 10 && run.stop() })
  t.notDeepEqual(await net.parameters(), await other.parameters())
  const none = await train(net, { callbacks: [{ onBegin: (run) => run.stop() }] })
  t.deepEqual(none, [])
})

test("the learning rate's factor is for the next epoch, with the optimiser's own schedule and velocity", async (t) => {
  const momentum = { momentum: 0.9, learningRate: 0.1 }
  const [net, expected] = [await linear(), await linear()]
  const halve = (_: unknown, run: Run) => {
    run.learningRateFactor /= 2
  }
  const all = await train(net, { optimizer: sgd(momentum), callbacks: [halve] })
  t.deepEqual(
    all.map(({ learningRate }) => learningRate),
    [0.1, 0.05, 0.025],
  )
  const rates = (step: number) => 0.1 / 2 ** Math.floor(step / 10)
  await train(expected, { optimizer: sgd({ ...momentum, learningRate: rates }) })
  t.deepEqual(await net.parameters(), await expected.parameters())
  const schedule = (factor: (step: number) => number) => (step: number) =>
    factor(step) * 0.1 * 0.5 ** Math.floor(step / 4)
  const scheduled = await train(net, { optimizer: sgd({ learningRate: schedule(() => 1) }), callbacks: [halve] })
  t.deepEqual(
    scheduled.map(({ learningRate }) => learningRate),
    [9, 19, 29].map((step) => schedule(() => 1)(step) * 0.5 ** Math.floor(step / 10)),
  )
  await train(expected, { optimizer: sgd({ learningRate: schedule((step) => 0.5 ** Math.floor(step / 10)) }) })
  t.deepEqual(await net.parameters(), await expected.parameters(), 'each step has its own')
})

test("by steps, the learning rate's factor is for the next step", async (t) => {
  const [net, expected] = [await linear(), await linear()]
  const rates: number[] = []
  const onStep = ({ learningRate }: StepFigures, run: Run) => {
    rates.push(learningRate)
    run.learningRateFactor /= 2
  }
  const [epoch] = await train(net, { epochs: 1, onStep, optimizer: sgd({ learningRate: 1 }) })
  const halved = Array.from({ length: 10 }, (_, i) => 1 / 2 ** i)
  t.deepEqual(rates, halved)
  t.is(epoch?.learningRate, halved.at(-1))
  await train(expected, { epochs: 1, optimizer: sgd({ learningRate: (step) => 1 / 2 ** step }) })
  t.deepEqual(await net.parameters(), await expected.parameters())
})

test('a factor is a finite number of at least 0', async (t) => {
  for (const factor of [-1, Number.NaN, Number.POSITIVE_INFINITY, '1']) {
    const onEpoch = (_: unknown, run: Run) => {
      run.learningRateFactor = factor as number
    }
    await t.throwsAsync(train(await linear(), { onEpoch }), { code: 'INVALID_ARGUMENT', message: /learningRateFactor/ })
  }
  const still = await train(await linear(), { onEpoch: (_, run) => Object.assign(run, { learningRateFactor: 0 }) })
  t.is(still[1]?.learningRate, 0)
})

test('what a callback throws is what the loop throws, and all are told of the end', async (t) => {
  const mine = new Error('mine')
  const fail = () => {
    throw mine
  }
  for (const callback of [{ onBegin: fail }, { onEpoch: fail }, { onStep: fail }, { onEnd: fail }]) {
    const [net, entries] = [await linear(), [] as string[]]
    const callbacks = [diary('a', entries), callback, diary('b', entries)]
    await t.throwsAsync(train(net, { epochs: 1, callbacks }), { is: mine })
    t.is(entries.filter((entry) => entry === 'a end').length, 1)
    t.is(entries.includes('b end'), !('onBegin' in callback), 'but who was not told of the beginning')
    await train(net, { epochs: 1 })
  }
})

test('an error of onEnd does not hide the first', async (t) => {
  const [mine, late] = [new Error('mine'), new Error('late')]
  const onEnd = async () => {
    throw late
  }
  const onEpoch = () => Promise.reject(mine)
  await t.throwsAsync(train(await linear(), { onEpoch, onEnd }), { is: mine })
  await t.throwsAsync(train(await linear(), { onEnd, callbacks: [{ onEnd: () => Promise.reject(mine) }] }), {
    is: mine,
  })
})

test('the end is told once, of a loop that is left, an error within it, and an abort', async (t) => {
  let ends = 0
  const end = new AbortController()
  const mine = new Error('mine')
  const settings = {
    epochs: 5,
    batchSize: 10,
    optimizer: sgd({ learningRate: 0.1 }),
    onEnd: () => void ends++,
    signal: end.signal,
  }
  const loop = async (act: () => boolean) => {
    for await (const _ of fit(await linear(), await stripes(100), settings)) if (act()) break
  }
  await loop(() => true)
  t.is(ends, 1)
  const failing = loop(() => {
    throw mine
  })
  await t.throwsAsync(failing, { is: mine })
  t.is(ends, 2)
  const aborting = loop(() => {
    end.abort(mine)
    return false
  })
  await t.throwsAsync(aborting, { is: mine })
  t.is(ends, 3)
  await t.throwsAsync(
    loop(() => false),
    { is: mine },
  )
  t.is(ends, 3, 'what had not begun does not end')
})

test('at the end, the network is free', async (t) => {
  const net = await linear()
  const onEnd = async (run: Run) => void (await train(run.net, { epochs: 1 }))
  t.is((await train(net, { onEnd })).length, 3)
  await t.throwsAsync(train(net, { onEpoch: (_, run) => train(run.net) }), { code: 'BUSY' })
})

test('by steps, an abort, progress and what onStep throws come between steps', async (t) => {
  const end = new AbortController()
  const mine = new Error('mine')
  let steps = 0
  const onStep = () => {
    if (++steps === 3) end.abort(mine)
  }
  await t.throwsAsync(train(await linear(), { onStep, signal: end.signal }), { is: mine })
  t.is(steps, 3)
  const reports: number[] = []
  const slow = () => new Promise((resolve) => setTimeout(resolve, 60))
  await train(await linear(), { epochs: 1, onStep: slow, onProgress: ({ images }) => void reports.push(images) })
  t.true(reports.length >= 3 && reports.every((images, i) => images % 10 === 0 && images > (reports[i - 1] ?? 0)))
})

test('a loss with weighted classes is trained by steps too', async (t) => {
  const loss = softmaxCrossEntropy({ classWeights: [1, 3] })
  const [whole, byStep] = [await linear(), await linear()]
  await train(whole, { loss })
  await train(byStep, { loss, onStep: () => {} })
  t.deepEqual(await byStep.parameters(), await whole.parameters())
})

// biome-ignore lint/suspicious/noExplicitAny: it stands for any wrong value
const wrong = (value: unknown): any => value

function unreadable() {
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  return wrong(proxy)
}

const refused: [what: string, options: Partial<FitOptions>, message: RegExp][] = [
  ['callbacks that are none', { callbacks: wrong(5) }, /an array of callbacks.* for callbacks, but received 5\.$/],
  [
    'a callback that is none',
    { callbacks: wrong([() => {}, 5]) },
    /a function or an object with onBegin.* for callbacks\[1\]/,
  ],
  [
    'a callback that is never called',
    { callbacks: wrong([{ onend: 1, state() {} }]) },
    /onBegin, onStep, onEpoch or onEnd/,
  ],
  [
    'a call that is none',
    { callbacks: wrong([{ onEpoch: 5 }]) },
    /a function for callbacks\[0\]\.onEpoch, but received 5/,
  ],
  ['a call with a typo', { callbacks: wrong([{ onEpoch() {}, onEpochEnd() {} }]) }, /no onEpochEnd/],
  ['what cannot be read', { callbacks: unreadable() }, /^callbacks cannot be read: .*revoked/],
  ['null', { callbacks: wrong(null) }, /callbacks/],
  ['a hole', { callbacks: wrong(Array(1)) }, /callbacks\[0\]/],
  ['an onStep that is none', { onStep: wrong(5) }, /a function for onStep/],
  ['an onEpoch that is none', { onEpoch: wrong({}) }, /a function for onEpoch/],
  ['an onEnd that is none', { onEnd: wrong('x') }, /a function for onEnd/],
]

for (const [what, options, message] of refused) {
  test(`${what}: refused at the call`, async (t) => {
    const [net, data] = [await linear(), await stripes(10)]
    const act = () => fit(net, data, { epochs: 1, batchSize: 1, optimizer: sgd({ learningRate: 0.1 }), ...options })
    t.throws(act, { instanceOf: CandlewickError, code: 'INVALID_ARGUMENT', message })
  })
}

test('a callback may be an object of a class, with fields of its own', async (t) => {
  class Counter {
    count = 0
    salonOpen = true
    onEpoch() {
      this.count++
    }
  }
  const counter = new Counter()
  await train(await linear(), { callbacks: [counter] })
  t.is(counter.count, 3)
})

test('a run and its callbacks are remembered, and go on from there', async (t) => {
  const [net, what] = [await linear(), { epochs: 9 }]
  const kept: unknown[] = []
  const callbacks: Callback[] = [
    { onEpoch() {}, state: () => ({ mine: 1 }), restore: (state) => void kept.push(state) },
    { onEpoch() {} },
  ]
  const first = attend(callbacks, { net, ...what })
  await first.begin(1)
  const odd = { loss: Number.NaN, testLoss: Number.POSITIVE_INFINITY, classes: [1, 2] }
  await first.epoch(epochOf(1, odd))
  t.deepEqual((first.state() as { callbacks: unknown }).callbacks, [{ mine: 1 }, null])
  const text = JSON.stringify(first.state())
  let run: Run | undefined
  const watch = (begun: Run) => {
    run = begun
  }
  const second = attend([...callbacks.slice(0, 1), { onBegin: watch }], { net, ...what })
  second.restore(JSON.parse(text))
  await second.begin(1)
  t.deepEqual(kept, [{ mine: 1 }])
  t.deepEqual(run?.history, [epochOf(1, odd)])
  t.is(run?.learningRateFactor, 1)
  const state = JSON.parse(text)
  second.restore({ ...state, learningRateFactor: 0.25 })
  t.is(run?.learningRateFactor, 0.25)
  t.is(run?.history.length, 1)
  for (const [wrongState, message] of [
    [null, /an object/],
    [{}, /learningRateFactor/],
    [{ ...state, more: 1 }, /"more"/],
    [{ ...state, learningRateFactor: -1 }, /learningRateFactor/],
    [{ ...state, history: 5 }, /its history is no list of epochs\.$/],
    [{ ...state, history: [{ epoch: 1, loss: 'x' }] }, /a number for loss/],
    [{ ...state, callbacks: [] }, /it is of 0 callbacks, but fit has 1; give it the same\.$/],
    [{ ...state, callbacks: 5 }, /it is of no callbacks, but fit has 1/],
  ] as [object, RegExp][]) {
    t.throws(() => second.restore(wrongState), { code: 'CHECKPOINT_INVALID', message })
  }
})

test('each step is told once, also while others ask the network', async (t) => {
  const net = await linear()
  const steps: StepFigures[] = []
  let isOver = false
  const asking = (async () => {
    while (!isOver) await Promise.all([net.predict((await stripes(1)).images()), net.parameters()])
  })()
  await train(net, { epochs: 20, onStep: (step) => void steps.push(step) })
  isOver = true
  await asking
  t.deepEqual(
    steps.map(({ step }) => step),
    Array.from({ length: 200 }, (_, i) => i + 1),
  )
  t.true(steps.every(({ loss }) => Number.isFinite(loss)))
})
