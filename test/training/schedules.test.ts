import test from 'ava'
import {
  adam,
  arrayDataset,
  cosineDecay,
  type Dataset,
  dense,
  fit,
  type LearningRate,
  linearWarmup,
  type Optimizer,
  oneCycle,
  Sequential,
  sgd,
  step,
  stepDecay,
} from 'candlewick'
import schedules from '#dist/training/schedules.js'

const images = { data: Uint8Array.from({ length: 40 }, (_, i) => (i * 37) % 256), shape: [10, 1, 2, 2] }
const labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]

/** One dense layer, the same each time. */
async function linear(): Promise<Sequential> {
  const net = new Sequential([dense({ units: 3 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1 })
  return net
}

function tenImages(): Promise<Dataset> {
  return arrayDataset({ images, labels })
}

/** Of all of `count` steps. */
function rates(learningRate: LearningRate, count: number, total?: number): number[] {
  const where = total === undefined ? { made: 0, count } : { made: 0, count, total }
  return Array.from(schedules.ratesOf(schedules.check(learningRate), where).rates.learningRates ?? [])
}

function near(actual: readonly number[], expected: readonly number[]): boolean {
  return (
    actual.length === expected.length &&
    actual.every((value, i) => Math.abs(value - (expected[i] as number)) <= 1e-12 * Math.abs(expected[i] as number))
  )
}

test('a step decay is multiplied every so many steps', (t) => {
  t.true(near(rates(stepDecay({ learningRate: 0.8, every: 2, factor: 0.5 }), 6), [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]))
  t.true(near(rates(stepDecay({ learningRate: 1, every: 1 }), 3), [1, 0.1, 0.01]))
})

test('a cosine decay is half a wave, and stays where it ends', (t) => {
  const schedule = cosineDecay({ learningRate: 1, finalLearningRate: 0.25, steps: 5 })
  // torch.optim.lr_scheduler.CosineAnnealingLR(T_max=5, eta_min=0.25)
  const expected = [1, 0.9283813728906053, 0.7408813728906053, 0.5091186271093947, 0.3216186271093947, 0.25]
  t.true(near(rates(schedule, 8), [...expected, 0.25, 0.25]))
  t.true(near(rates(cosineDecay({ learningRate: 1 }), 2, 2), [1, 0.5]), 'without steps, those of the fit')
})

test('a warm-up leads to what follows it, whose steps are counted from there', (t) => {
  t.true(near(rates(linearWarmup({ steps: 4, learningRate: 0.9 }), 6), [0.3, 0.45, 0.6, 0.75, 0.9, 0.9]))
  const learningRate = cosineDecay({ learningRate: 1 })
  const schedule = linearWarmup({ steps: 2, startFactor: 0, learningRate })
  t.true(near(rates(schedule, 5, 4), [0, 0.5, 1, 0.5, 0]), 'a fit of 4 steps has 2 left for the wave')
  t.true(near(rates(linearWarmup({ steps: 1, startFactor: 0.5, learningRate: (i) => i + 2 }), 3), [1, 2, 3]))
})

test('a function is asked for each step', (t) => {
  t.deepEqual(
    rates((step) => step / 2, 4),
    [0, 0.5, 1, 1.5],
  )
})

/** What torch.optim.lr_scheduler.OneCycleLR makes of max_lr=0.3, total_steps=10: rates and momenta. */
const cycle = [
  [0.01200000000000001, 0.95],
  [0.156, 0.8999999999999999],
  [0.3, 0.85],
  [0.2851453896040421, 0.854951556604879],
  [0.24352369618492894, 0.8688255099070633],
  [0.18337860658088678, 0.8888739533021842],
  [0.11662259341911323, 0.9111260466978157],
  [0.05647750381507109, 0.9311744900929366],
  [0.014855810395957887, 0.945048443395121],
  [1.2e-6, 0.95],
] as [number, number][]

test("one cycle is PyTorch's", (t) => {
  const { rates: found } = schedules.ratesOf(oneCycle({ maxLearningRate: 0.3, steps: 10 }), { made: 0, count: 10 })
  t.true(
    near(
      Array.from(found.learningRates ?? []),
      cycle.map(([learningRate]) => learningRate),
    ),
  )
  t.true(
    near(
      Array.from(found.momenta ?? []),
      cycle.map(([, momentum]) => momentum),
    ),
  )
})

/** Those of anneal_strategy='linear', pct_start=0.4, div_factor=2, final_div_factor=5: the greatest is between two steps. */
test('one cycle along a line, with other shares and without momentum', (t) => {
  const schedule = oneCycle({
    maxLearningRate: 1,
    steps: 7,
    pctStart: 0.4,
    anneal: 'linear',
    divFactor: 2,
    finalDivFactor: 5,
    cycleMomentum: false,
  })
  const { rates: found } = schedules.ratesOf(schedule, { made: 0, count: 7 })
  const expected = [
    0.5, 0.7777777777777777, 0.9571428571428572, 0.7428571428571429, 0.5285714285714285, 0.31428571428571417,
    0.09999999999999998,
  ]
  t.true(near(Array.from(found.learningRates ?? []), expected))
  t.is(found.momenta, undefined)
})

test('a cycle of a step or two is what PyTorch makes of it', (t) => {
  t.true(near(rates(oneCycle({ maxLearningRate: 1, steps: 1 }), 1), [4e-6]))
  // PyTorch divides by zero, as the first phase is of no length.
  t.true(near(rates(oneCycle({ maxLearningRate: 1, steps: 2, pctStart: 0.5 }), 2), [1, 4e-6]))
})

test('a cycle that is over asks for a new optimiser', (t) => {
  const schedule = oneCycle({ maxLearningRate: 1, steps: 3 })
  t.throws(() => rates(schedule, 4), {
    code: 'INVALID_ARGUMENT',
    message: 'The schedule oneCycle ends after 3 steps, but the optimizer has made 3; make a new optimizer.',
  })
})

const refused: [make: () => unknown, message: RegExp][] = [
  [() => stepDecay({ learningRate: 0.1, every: 0 }), /an integer of at least 1 for every.* 0/],
  [() => stepDecay({ learningRate: -1, every: 1 }), /for learningRate, but received -1/],
  [() => cosineDecay({ learningRate: 0.1, steps: 0.5 }), /an integer of at least 1 for steps.* 0\.5/],
  [() => cosineDecay({ learningRate: 0.1, finalLearningRate: -1 }), /for finalLearningRate.* -1/],
  [() => linearWarmup({ steps: 1, learningRate: 0.1, startFactor: 2 }), /from 0 to 1 for startFactor.* 2/],
  [() => linearWarmup({ steps: 1, learningRate: 'fast' as never }), /for learningRate, but received "fast"/],
  [() => oneCycle({ maxLearningRate: 1, pctStart: -0.1 }), /from 0 to 1 for pctStart/],
  [() => oneCycle({ maxLearningRate: 1, anneal: 'cosine' as never }), /'cos' or 'linear' for anneal.* "cosine"/],
  [() => oneCycle({ maxLearningRate: 1, divFactor: 0 }), /above 0 for divFactor/],
  [() => oneCycle({ maxLearningRate: 1, finalDivFactor: Number.POSITIVE_INFINITY }), /finite .* for finalDivFactor/],
  [() => oneCycle({ maxLearningRate: 1, baseMomentum: 1 }), /below 1 for baseMomentum/],
  [() => oneCycle({ maxLearningRate: 1, maxMomentum: -1 }), /for maxMomentum/],
  [() => oneCycle({ maxLearningRate: 1, cycleMomentum: 1 as never }), /true or false for cycleMomentum/],
  [() => oneCycle({ maxLearningRate: 1, max_lr: 1 } as never), /"max_lr" for oneCycle; it takes maxLearningRate/],
  [() => sgd({ learningRate: { kind: 'twoCycle' } as never }), /a number, a schedule, such as oneCycle.*twoCycle/],
  [() => sgd({ learningRate: { kind: 'oneCycle' } as never }), /for maxLearningRate, but received undefined/],
  [() => sgd({ learningRate: [0.1] as never }), /a number, a schedule, such as .* for learningRate/],
  [() => adam({ learningRate: null as never }), /for learningRate, but received null/],
]

for (const [make, message] of refused) {
  test(`${String(make).slice(6)} is refused`, (t) => {
    t.throws(make, { code: 'INVALID_ARGUMENT', message })
  })
}

/** Parameters after two epochs of 3 steps. */
async function trained(optimizer: Optimizer, epochs = 2) {
  const net = await linear()
  const learningRates: number[] = []
  for await (const epoch of fit(net, await tenImages(), { epochs, batchSize: 4, optimizer, shuffle: false })) {
    learningRates.push(epoch.learningRate)
  }
  return { net, parameters: await net.parameters(), learningRates }
}

/** Parameters after the same steps, each with an optimiser of its own rate. */
async function byHand(learningRates: readonly number[]) {
  const net = await linear()
  const batches = [...(await tenImages()).batches({ batchSize: 4 })]
  for (const [i, learningRate] of learningRates.entries()) {
    const batch = batches[i % batches.length]
    if (batch) await step(net, batch.images, batch.labels, sgd({ learningRate }))
  }
  return net.parameters()
}

test('a fit follows its schedule from epoch to epoch, and reports each epoch’s last rate', async (t) => {
  const every = [0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625]
  const learningRate = stepDecay({ learningRate: 0.5, every: 1, factor: 0.5 })
  const { parameters, learningRates } = await trained(sgd({ learningRate }))
  t.deepEqual(learningRates, [0.125, 0.015625])
  t.deepEqual(parameters, await byHand(every))
  t.deepEqual((await trained(sgd({ learningRate: 0.25 }))).learningRates, [0.25, 0.25])
})

test('a schedule without steps of its own ends with the fit', async (t) => {
  const { learningRates } = await trained(sgd({ learningRate: oneCycle({ maxLearningRate: 0.3 }), nesterov: true }))
  t.true(Math.abs((learningRates[1] as number) - 0.3 / 25 / 1e4) < 1e-15)
  const cosine = (await trained(adam({ learningRate: cosineDecay({ learningRate: 1 }) }))).learningRates
  t.true(Math.abs((cosine[1] as number) - (1 + Math.cos((Math.PI * 5) / 6)) / 2) < 1e-12)
})

test('a cycled momentum is what trains', async (t) => {
  const cycle = (cycleMomentum: boolean) => oneCycle({ maxLearningRate: 0.5, cycleMomentum, baseMomentum: 0.5 })
  const after = async (optimizer: Optimizer) => (await trained(optimizer)).parameters
  for (const make of [
    (learningRate: LearningRate) => sgd({ learningRate, momentum: 0.5 }),
    (learningRate: LearningRate) => adam({ learningRate }),
  ]) {
    t.notDeepEqual(await after(make(cycle(true))), await after(make(cycle(false))))
  }
  const same = oneCycle({ maxLearningRate: 0.5, baseMomentum: 0.5, maxMomentum: 0.5 })
  t.deepEqual(await after(sgd({ learningRate: same })), await after(sgd({ learningRate: cycle(false), momentum: 0.5 })))
})

test('a schedule goes on where its optimiser is, from step to fit and from fit to fit', async (t) => {
  const seen: number[] = []
  const make = () => {
    seen.length = 0
    const learningRate = (i: number) => {
      seen.push(i)
      return 0.5 ** i
    }
    return sgd({ learningRate })
  }
  const net = await linear()
  const optimizer = make()
  const data = await tenImages()
  const [batch] = data.batches({ batchSize: 4 })
  if (!batch) return t.fail()
  const steps = [1, 2].map(() => step(net, batch.images, batch.labels, optimizer))
  await Promise.all(steps)
  t.deepEqual(seen, [0, 1], 'steps that wait in line have each its place')
  for await (const { learningRate } of fit(net, data, { epochs: 1, batchSize: 4, optimizer }))
    t.is(learningRate, 0.5 ** 4)
  for await (const { learningRate } of fit(net, data, { epochs: 1, batchSize: 4, optimizer }))
    t.is(learningRate, 0.5 ** 7)
  t.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7])
  await t.throwsAsync(step(net, batch.images, [9, 9, 9, 9], optimizer))
  await step(net, batch.images, batch.labels, optimizer)
  t.is(seen.at(-1), 8, 'a step that was refused is none')
  await step(net, batch.images, batch.labels, sgd({ learningRate: 0.1 }))
  await step(net, batch.images, batch.labels, optimizer)
  t.is(seen.at(-1), 0, 'after another optimiser, it starts afresh')
  const other = await linear()
  await step(other, batch.images, batch.labels, optimizer)
  t.is(seen.at(-1), 0, 'as on another network')
})

test('an optimiser that continues has more steps, and its cycle ends with the fit', async (t) => {
  const optimizer = sgd({ learningRate: cosineDecay({ learningRate: 1 }) })
  const [net, data] = [await linear(), await tenImages()]
  const options = { epochs: 1, batchSize: 4, optimizer, shuffle: false }
  for await (const _ of fit(net, data, options));
  for await (const { learningRate } of fit(net, data, options)) {
    t.true(Math.abs(learningRate - (1 + Math.cos((Math.PI * 5) / 6)) / 2) < 1e-12)
  }
})

test('a training that is aborted has made the steps that it has made', async (t) => {
  const seen: number[] = []
  const learningRate = (i: number) => {
    seen.push(i)
    return 0.001
  }
  const optimizer = sgd({ learningRate })
  const net = await linear()
  const count = 200_000
  const data = { data: new Uint8Array(4 * count), shape: [count, 1, 2, 2] }
  const many = await arrayDataset({ images: data, labels: new Uint8Array(count) })
  const controller = new AbortController()
  let images = 0
  const training = fit(net, many, {
    epochs: 1,
    batchSize: 2,
    optimizer,
    signal: controller.signal,
    onProgress: (progress) => {
      images = progress.images
      controller.abort()
    },
  }).next()
  await training.catch(() => undefined)
  const [batch] = many.batches({ batchSize: 2 })
  if (!batch) return t.fail()
  await step(net, batch.images, batch.labels, optimizer)
  t.true((seen.at(-1) as number) >= images / 2 && (seen.at(-1) as number) <= count / 2, `${seen.at(-1)}, ${images}`)
})

test('a function that fails ends the training before the epoch', async (t) => {
  for (const [bad, message] of [
    [() => Number.NaN, 'Expected a finite number of at least 0 for the learning rate of step 4, but received NaN.'],
    [() => -1, 'Expected a finite number of at least 0 for the learning rate of step 4, but received -1.'],
    [() => 1e300, 'Expected a finite number of at least 0 for the learning rate of step 4, but received 1e+300.'],
    [() => '1' as never, 'Expected a finite number of at least 0 for the learning rate of step 4, but received "1".'],
  ] as [() => number, string][]) {
    const net = await linear()
    const optimizer = sgd({ learningRate: (i) => (i === 4 ? bad() : 0.1) })
    const training = fit(net, await tenImages(), { epochs: 2, batchSize: 4, optimizer, shuffle: false })
    await training.next()
    await t.throwsAsync(training.next(), { code: 'INVALID_ARGUMENT', message })
    t.deepEqual(await net.parameters(), await byHand([0.1, 0.1, 0.1]))
  }
  const cause = new Error('no')
  const thrower = sgd({
    learningRate: () => {
      throw cause
    },
  })
  const error = await t.throwsAsync(step(await linear(), images, labels, thrower))
  t.is(error?.message, 'The learning rate of step 0 cannot be had: no.')
  t.is(error?.cause, cause)
})

test('a single step asks a schedule for its steps', async (t) => {
  const [net, learningRate] = [
    await linear(),
    linearWarmup({ steps: 2, learningRate: cosineDecay({ learningRate: 1 }) }),
  ]
  const message = 'Only fit knows how many steps there will be; give cosineDecay({ steps }) here.'
  await t.throwsAsync(step(net, images, labels, sgd({ learningRate })), { code: 'INVALID_ARGUMENT', message })
})

test('Nesterov takes the momentum of a cycle', (t) => {
  t.notThrows(() => sgd({ learningRate: oneCycle({ maxLearningRate: 1 }), nesterov: true }))
  const warmed = linearWarmup({ steps: 2, learningRate: oneCycle({ maxLearningRate: 1 }) })
  t.notThrows(() => sgd({ learningRate: warmed, nesterov: true }))
  const without = oneCycle({ maxLearningRate: 1, cycleMomentum: false })
  t.throws(() => sgd({ learningRate: without, nesterov: true }), { code: 'INVALID_ARGUMENT' })
})
