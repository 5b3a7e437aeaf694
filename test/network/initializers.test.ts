import test from 'ava'
import {
  constant,
  conv2d,
  dense,
  heNormal,
  heUniform,
  type Initializer,
  normal,
  orthogonal,
  Sequential,
  uniform,
  xavier,
  zeros,
} from 'candlewick'

/** Weights of a convolution of 3 to 16 channels, 5x5, and of a dense layer of 16 x 24 x 24 to 10; all biases. */
async function drawn(init?: Initializer) {
  const net = new Sequential([conv2d({ channels: 16, kernelSize: 5 }), dense({ units: 10 })])
  await net.initialize({ inputShape: [3, 28, 28], device: 'cpu', seed: 4, ...(init && { init }) })
  const parameters = await net.parameters()
  const data = (name: string) => parameters[name]?.data ?? new Float32Array()
  return {
    conv: data('conv0.weight'),
    dense: data('dense0.weight'),
    biases: [...data('conv0.bias'), ...data('dense0.bias')],
  }
}

function figures(values: Float32Array) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  return {
    mean,
    deviation: Math.sqrt(variance),
    largest: values.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  }
}

/** 92,160 weights of a dense layer: their deviation is known to half a percent. */
const uniformCases: [what: string, init: Initializer | undefined, bound: { conv: number; dense: number }][] = [
  ['uniform() is within 0.07', uniform(), { conv: 0.07, dense: 0.07 }],
  ['uniform(0.5) is within 0.5', uniform(0.5), { conv: 0.5, dense: 0.5 }],
  [
    'xavier() is within what fan in and fan out say',
    xavier(),
    { conv: Math.sqrt(6 / (25 * 19)), dense: Math.sqrt(6 / 9226) },
  ],
  [
    'xavier() goes by the factor and the magnitude that are given',
    xavier({ factor: 'in', magnitude: 6 }),
    { conv: Math.sqrt(6 / 75), dense: Math.sqrt(6 / 9216) },
  ],
  [
    "xavier({ factor: 'out' }) goes by fan out",
    xavier({ factor: 'out' }),
    { conv: Math.sqrt(3 / 400), dense: Math.sqrt(3 / 10) },
  ],
  ['heUniform() goes by fan in', heUniform(), { conv: Math.sqrt(6 / 75), dense: Math.sqrt(6 / 9216) }],
  ['what is not said is xavier()', undefined, { conv: Math.sqrt(6 / (25 * 19)), dense: Math.sqrt(6 / 9226) }],
]

for (const [what, init, bound] of uniformCases) {
  test(what, async (t) => {
    const weights = await drawn(init)
    for (const layer of ['conv', 'dense'] as const) {
      const { mean, deviation, largest } = figures(weights[layer])
      t.true(largest <= bound[layer] * (1 + 1e-6) && largest > 0.99 * bound[layer], `${layer}: largest ${largest}`)
      const relative = (deviation * Math.sqrt(3)) / bound[layer]
      t.true(Math.abs(relative - 1) < (layer === 'dense' ? 0.01 : 0.06), `${layer}: deviation ${deviation}`)
      t.true(Math.abs(mean) < bound[layer] * 0.06, `${layer}: mean ${mean}`)
    }
    t.true(weights.biases.every((bias) => bias === 0))
  })
}

for (const [what, init, sigma] of [
  ['normal() deviates by 0.01', normal(), 0.01],
  ['normal(2) deviates by 2', normal(2), 2],
  ['heNormal() deviates by what fan in says', heNormal(), Math.sqrt(2 / 9216)],
  ['a gaussian xavier() deviates by its scale', xavier({ distribution: 'gaussian' }), Math.sqrt(6 / 9226)],
] as const) {
  test(what, async (t) => {
    const weights = await drawn(init)
    const { mean, deviation, largest } = figures(weights.dense)
    t.true(Math.abs(deviation / sigma - 1) < 0.01, `deviation ${deviation}`)
    t.true(Math.abs(mean) < 0.02 * sigma, `mean ${mean}`)
    // The largest of 92,160 is beyond 4 deviations but for one in 300 seeds.
    t.true(largest > 4 * sigma && largest < 6 * sigma, `largest ${largest}`)
    t.true(weights.biases.every((bias) => bias === 0))
  })
}

test('zeros() and a scale of 0 draw zeros', async (t) => {
  for (const init of [zeros(), uniform(0), normal(0)]) {
    const weights = await drawn(init)
    t.true([...weights.conv, ...weights.dense, ...weights.biases].every((weight) => weight === 0))
  }
})

test('orthogonal() draws rows at right angles, of the length that it is told', async (t) => {
  const { conv, dense } = await drawn(orthogonal({ gain: 2 }))
  for (const [weight, rows] of [
    [conv, 16],
    [dense, 10],
  ] as const) {
    const row = (i: number) => weight.slice((i * weight.length) / rows, ((i + 1) * weight.length) / rows)
    for (let a = 0; a < rows; a++) {
      for (let b = 0; b < rows; b++) {
        const other = row(b)
        const dot = row(a).reduce((sum, value, i) => sum + value * (other[i] as number), 0)
        t.true(Math.abs(dot - (a === b ? 4 : 0)) < 1e-5, `rows ${a} and ${b}: ${dot}`)
      }
    }
  }
})

test('constant({ value }) draws one value, and leaves biases at zero', async (t) => {
  const { conv, dense, biases } = await drawn(constant({ value: -0.25 }))
  t.true([...conv, ...dense].every((weight) => weight === -0.25))
  t.true(biases.every((bias) => bias === 0))
})

test('an initializer is data, and may be written by hand', async (t) => {
  t.deepEqual(
    [xavier(), heNormal(), heUniform(), orthogonal(), uniform(), normal(), constant(), zeros(), uniform(2), normal(3)],
    [
      { kind: 'xavier', distribution: 'uniform', factor: 'avg', magnitude: 3 },
      { kind: 'heNormal' },
      { kind: 'heUniform' },
      { kind: 'orthogonal', gain: 1 },
      { kind: 'uniform', scale: 0.07 },
      { kind: 'normal', scale: 0.01 },
      { kind: 'constant', value: 0 },
      { kind: 'zeros' },
      { kind: 'uniform', scale: 2 },
      { kind: 'normal', scale: 3 },
    ],
  )
  const makers = { xavier, heNormal, heUniform, orthogonal, uniform, normal, constant, zeros }
  for (const kind of Object.keys(makers) as (keyof typeof makers)[]) {
    t.deepEqual(await drawn({ kind }), await drawn(makers[kind]()), kind)
  }
  t.notDeepEqual(await drawn({ kind: 'uniform', scale: 0.2 }), await drawn(uniform()))
  t.notDeepEqual(await drawn({ kind: 'normal', scale: 0.2 }), await drawn(normal()))
})

test('an initializer that cannot be read is refused', async (t) => {
  const init = {
    get kind(): 'zeros' {
      throw new Error('mine')
    },
  }
  await t.throwsAsync(drawn(init), { code: 'INVALID_ARGUMENT', message: /^init cannot be read: mine\.$/ })
})

test('a scale below 0 or without end is refused', async (t) => {
  t.throws(() => uniform(-0.1), { code: 'INVALID_ARGUMENT', message: /for scale, .* -0\.1/ })
  t.throws(() => normal(-0.1), { code: 'INVALID_ARGUMENT', message: /for sigma, .* -0\.1/ })
  t.throws(() => uniform(Number.POSITIVE_INFINITY), { code: 'INVALID_ARGUMENT', message: /Infinity/ })
  t.throws(() => normal(Number.NaN), { code: 'INVALID_ARGUMENT', message: /NaN/ })
  t.throws(() => xavier({ magnitude: -1 }), { code: 'INVALID_ARGUMENT', message: /for magnitude, .* -1/ })
  t.throws(() => xavier({ factor: 'fan' as never }), { message: /"avg" or "in" or "out" for factor, .*"fan"/ })
  t.throws(() => orthogonal({ gain: -1 }), { code: 'INVALID_ARGUMENT', message: /for gain, .* -1/ })
  for (const value of [Number.NEGATIVE_INFINITY, Number.NaN, -1e39]) {
    t.throws(() => constant({ value }), { code: 'INVALID_ARGUMENT', message: /for value, / })
  }
  t.throws(() => xavier({ scale: 1 } as never), { message: /Unknown option "scale" for xavier/ })
  await t.throwsAsync(drawn({ kind: 'uniform', scale: -1 }), { code: 'INVALID_ARGUMENT', message: /scale/ })
  for (const init of [{}, 'xavier', 5]) {
    await t.throwsAsync(drawn(init as Initializer), { code: 'INVALID_ARGUMENT', message: /an initializer.* for init/ })
  }
})
