import test from 'ava'
import {
  avgPool2d,
  conv2d,
  dense,
  elu,
  gelu,
  type Layer,
  leakyRelu,
  lenet,
  maxPool2d,
  Sequential,
  softplus,
} from 'candlewick'

test('a layer is data, with what was left out filled in', (t) => {
  t.deepEqual(conv2d({ channels: 6, kernelSize: 5 }), {
    kind: 'conv2d',
    channels: 6,
    kernelSize: [5, 5],
    strides: [1, 1],
    padding: [0, 0],
  })
  t.deepEqual(conv2d({ channels: 1, kernelSize: [1, 2], strides: [3, 4], padding: [0, 5], activation: 'relu' }), {
    kind: 'conv2d',
    channels: 1,
    kernelSize: [1, 2],
    strides: [3, 4],
    padding: [0, 5],
    activation: 'relu',
  })
  const kernel = { kind: 'conv2d', channels: 4, kernelSize: [3, 3], strides: [1, 1] } as const
  t.deepEqual(conv2d({ channels: 4, kernelSize: 3, padding: 'same', groups: 2, useBias: false }), {
    ...kernel,
    padding: 'same',
    groups: 2,
    useBias: false,
  })
  t.deepEqual(conv2d({ channels: 4, kernelSize: 3, groups: 1, useBias: true, kernelInit: { kind: 'heNormal' } }), {
    ...kernel,
    padding: [0, 0],
    kernelInit: { kind: 'heNormal' },
  })
  t.deepEqual(maxPool2d({ poolSize: 3, strides: 2, padding: [1, 0] }), {
    kind: 'maxPool2d',
    poolSize: [3, 3],
    strides: [2, 2],
    padding: [1, 0],
  })
  const biasInit = { kind: 'constant', value: 0.5 } as const
  t.deepEqual(dense({ units: 1, useBias: true, biasInit }), { kind: 'dense', units: 1, biasInit })
  t.deepEqual(dense({ units: 1, trainable: false }), { kind: 'dense', units: 1, trainable: false })
  t.deepEqual(dense({ units: 1, trainable: true }), { kind: 'dense', units: 1 })
  t.deepEqual(dense({ units: 1, useBias: false }), { kind: 'dense', units: 1, useBias: false })
  t.deepEqual(maxPool2d({ poolSize: 3 }), { kind: 'maxPool2d', poolSize: [3, 3], strides: [3, 3] })
  t.deepEqual(avgPool2d({ poolSize: [2, 3], strides: 1 }), { kind: 'avgPool2d', poolSize: [2, 3], strides: [1, 1] })
  t.deepEqual(dense({ units: 1 }), { kind: 'dense', units: 1 })
  for (const activation of ['sigmoid', 'relu', 'tanh', 'silu', 'hardSwish'] as const) {
    t.deepEqual(dense({ units: 2, activation }), { kind: 'dense', units: 2, activation })
  }
  t.deepEqual(leakyRelu(), { kind: 'leakyRelu', negativeSlope: 0.01 })
  const activation = leakyRelu({ negativeSlope: 0.2 })
  t.deepEqual(dense({ units: 2, activation }), { kind: 'dense', units: 2, activation })
  t.deepEqual(elu(), { kind: 'elu', alpha: 1 })
  t.deepEqual(elu({ alpha: 0.5 }), { kind: 'elu', alpha: 0.5 })
  t.throws(() => elu({ alpha: -1 }), { message: /at least 0 for alpha, but received -1/ })
  t.deepEqual(gelu(), { kind: 'gelu', approximate: 'none' })
  t.deepEqual(gelu({ approximate: 'tanh' }), { kind: 'gelu', approximate: 'tanh' })
  t.throws(() => gelu({ approximate: 'erf' as never }), { message: /"none" or "tanh" for approximate, .*"erf"/ })
  t.deepEqual(softplus(), { kind: 'softplus', beta: 1, threshold: 20 })
  t.deepEqual(softplus({ beta: 2, threshold: 10 }), { kind: 'softplus', beta: 2, threshold: 10 })
  for (const beta of [0, -1, Number.NaN]) t.throws(() => softplus({ beta }), { message: /above 0 for beta, / })
  t.throws(() => leakyRelu({ negativeSlope: -1 }), { message: /at least 0 for negativeSlope, but received -1/ })
  const unknown = { ...activation, slope: 1 }
  t.throws(() => dense({ units: 2, activation: unknown }), { message: /Unknown option "slope" for leakyRelu/ })
})

/** What a user without types would pass. */
// biome-ignore lint/suspicious/noExplicitAny: it stands for any wrong value
const wrong = (value: unknown): any => value

const refused: [what: string, act: () => unknown, message: RegExp][] = [
  ['no channels', () => conv2d({ channels: 0, kernelSize: 1 }), /at least 1 for channels, but received 0/],
  ['channels left out', () => conv2d(wrong({ kernelSize: 1 })), /channels.* undefined/],
  ['a kernel of 0', () => conv2d({ channels: 1, kernelSize: [1, 0] }), /at least 1 for kernelSize\[1\].* 0/],
  ['steps of 0', () => conv2d({ channels: 1, kernelSize: 1, strides: 0 }), /at least 1 for strides.* 0/],
  ['padding below 0', () => conv2d({ channels: 1, kernelSize: 1, padding: -1 }), /at least 0 for padding.* -1/],
  [
    'a typo in conv2d',
    () => conv2d(wrong({ channels: 1, kernelSize: 1, stride: 1 })),
    /"stride" for conv2d; .*strides/,
  ],
  ['a word for padding', () => conv2d(wrong({ channels: 1, kernelSize: 1, padding: 'valid' })), /padding.*"valid"/],
  ['a layer that trains a little', () => dense(wrong({ units: 1, trainable: 0.5 })), /true or false for trainable/],
  ['groups of 0', () => conv2d({ channels: 1, kernelSize: 1, groups: 0 }), /at least 1 for groups.* 0/],
  [
    'a bias that is a number',
    () => conv2d(wrong({ channels: 1, kernelSize: 1, useBias: 1 })),
    /true or false for useBias.* 1/,
  ],
  [
    'an initializer without a name',
    () => dense(wrong({ units: 1, kernelInit: { scale: 1 } })),
    /an initializer.* for kernelInit/,
  ],
  [
    'an initializer of no bias',
    () => dense({ units: 1, useBias: false, biasInit: { kind: 'zeros' } }),
    /nothing, as useBias is false, for biasInit/,
  ],
  ['padding of a mean', () => avgPool2d(wrong({ poolSize: 2, padding: 1 })), /"padding" for avgPool2d/],
  ['windows of 0', () => avgPool2d({ poolSize: 0 }), /at least 1 for poolSize.* 0/],
  ['pooling without steps', () => maxPool2d({ poolSize: 1, strides: [0, 1] }), /at least 1 for strides\[0\].* 0/],
  ['a typo in maxPool2d', () => maxPool2d(wrong({ size: 2 })), /"size" for maxPool2d; it takes poolSize, strides/],
  ['a typo in avgPool2d', () => avgPool2d(wrong({ size: 2 })), /"size" for avgPool2d/],
  ['no units', () => dense({ units: 0 }), /at least 1 for units.* 0/],
  ['a typo in dense', () => dense(wrong({ units: 1, activations: 'relu' })), /"activations" for dense; .*activation/],
  [
    'an activation of another name',
    () => dense(wrong({ units: 1, activation: 'mish' })),
    /one of "sigmoid", "relu", "tanh", .* for activation, .*"mish"/,
  ],
]

for (const [what, act, message] of refused) {
  test(`${what}: refused`, (t) => {
    t.throws(act, { code: 'INVALID_ARGUMENT', message })
  })
}

test('layers may be written by hand, and are checked all the same', (t) => {
  const byHand: Layer[] = [
    wrong({ kind: 'conv2d', channels: 4, kernelSize: 3 }),
    wrong({ kind: 'maxPool2d', poolSize: 2 }),
    wrong({ kind: 'avgPool2d', poolSize: 2, strides: 1 }),
    wrong({ kind: 'dense', units: 3, activation: 'tanh' }),
  ]
  const made = [
    conv2d({ channels: 4, kernelSize: 3 }),
    maxPool2d({ poolSize: 2 }),
    avgPool2d({ poolSize: 2, strides: 1 }),
    dense({ units: 3, activation: 'tanh' }),
  ]
  t.deepEqual(new Sequential(byHand).describe([1, 9, 9]), new Sequential(made).describe([1, 9, 9]))
  const unfit = [{ kind: 'conv2d' }, { kind: 'avgPool2d' }, { kind: 'maxPool2d' }, { kind: 'dense' }, { kind: 'lstm' }]
  for (const layer of [...unfit, {}, null, undefined, 'dense']) {
    t.throws(() => new Sequential([dense({ units: 1 }), wrong(layer)]), { code: 'INVALID_ARGUMENT' })
  }
  t.throws(() => new Sequential([dense({ units: 1 }), wrong({ kind: 'lstm' })]), {
    message: /a layer.*layers\[1\].*lstm/,
  })
})

test('what does not fit is told by the engine, with the numbers', (t) => {
  const of = (layer: Layer) => () => new Sequential([layer]).describe([4, 8, 8])
  t.throws(of(conv2d({ channels: 6, kernelSize: 3, groups: 3 })), {
    code: 'INVALID_SHAPE',
    message: /conv0 has 3 groups, but 4 channels reach it/,
  })
  t.throws(of(conv2d({ channels: 3, kernelSize: 3, groups: 2 })), {
    code: 'INVALID_ARGUMENT',
    message: /conv0 has 3 channels in 2 groups/,
  })
  t.throws(of(conv2d({ channels: 3, kernelSize: 3, strides: 2, padding: 'same' })), {
    code: 'INVALID_ARGUMENT',
    message: /conv0 has strides of 2 with padding "same"/,
  })
  t.throws(of(maxPool2d({ poolSize: 3, padding: 2 })), { code: 'INVALID_ARGUMENT', message: /pool0.*at most half/ })
})

test('options of parameters and padding are counted in', (t) => {
  const layers = [
    conv2d({ channels: 8, kernelSize: [4, 3], padding: 'same', groups: 4, useBias: false }),
    maxPool2d({ poolSize: 3, strides: 2, padding: 1 }),
    dense({ units: 2, useBias: false }),
  ]
  const described = new Sequential(layers).describe([4, 8, 8])
  t.deepEqual(
    described.map(({ outputShape, parameterCount }) => [outputShape, parameterCount]),
    [
      [[1, 8, 8, 8], 8 * 4 * 3],
      [[1, 8, 4, 4], 0],
      [[1, 2], 2 * 128],
    ],
  )
})

test('LeNet is what the d2l text writes', (t) => {
  // 6 x 25 + 6, 16 x 6 x 25 + 16, 256 x 120 + 120, 120 x 84 + 84, 84 x 10 + 10
  const counts = lenet()
    .describe([1, 28, 28])
    .map(({ parameterCount }) => parameterCount)
  t.deepEqual(counts, [156, 0, 2416, 0, 30_840, 10_164, 850])
})

test('nobody changes a layer that was made', (t) => {
  const own = leakyRelu()
  const layers = [
    conv2d({ channels: 1, kernelSize: 2 }),
    maxPool2d({ poolSize: 2 }),
    dense({ units: 1 }),
    dense({ units: 1, activation: own }),
  ]
  t.false(Object.isFrozen(own), "a caller's activation is copied")
  for (const layer of layers) {
    t.true(Object.isFrozen(layer))
    for (const value of Object.values(layer)) t.true(Object.isFrozen(value))
  }
  t.throws(() => (wrong(layers[0]).kernelSize[0] = 3), { instanceOf: TypeError })
})
