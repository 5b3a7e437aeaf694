/** Networks to JSON and back. */

import test from 'ava'
import {
  activation,
  avgPool2d,
  batchNorm,
  conv2d,
  dense,
  dropout,
  flatten,
  globalAvgPool2d,
  type Layer,
  lenet,
  maxPool2d,
  residual,
  Sequential,
} from 'candlewick'

const everyKind: Layer[] = [
  conv2d({ channels: 2, kernelSize: [3, 2], strides: [1, 2], padding: [0, 1], activation: 'relu' }),
  conv2d({ channels: 2, kernelSize: 1 }),
  maxPool2d({ poolSize: [2, 1], strides: 1 }),
  avgPool2d({ poolSize: 2 }),
  batchNorm({ momentum: 0.2, epsilon: 1e-3 }),
  residual([batchNorm({ trainable: false }), activation('relu')], { shortcut: [dropout({ rate: 0.5 })] }),
  globalAvgPool2d(),
  flatten(),
  dense({ units: 3, activation: 'tanh' }),
  dense({ units: 4, activation: 'sigmoid' }),
  dense({ units: 2 }),
]

for (const [what, net, inputShape] of [
  ['a network of every kind of layer', new Sequential(everyKind), [1, 12, 12]],
  ['LeNet', lenet(), [1, 28, 28]],
] as const) {
  test(`${what} is the same after its JSON`, async (t) => {
    const text = JSON.stringify(net)
    t.deepEqual(JSON.parse(text), net.toJSON())
    for (const again of [
      Sequential.fromJSON(text),
      Sequential.fromJSON(JSON.parse(text)),
      Sequential.fromJSON(net.toJSON()),
    ]) {
      t.is(JSON.stringify(again), text)
      t.deepEqual(again.describe(inputShape), net.describe(inputShape))
    }
    const parameters = async (of: Sequential) => {
      await of.initialize({ inputShape, seed: 3, device: 'cpu', forceReinit: true })
      return of.parameters()
    }
    t.deepEqual(await parameters(Sequential.fromJSON(text)), await parameters(net))
  })
}

test('a network is the layers that it was made of', (t) => {
  const layers = [...everyKind]
  const net = new Sequential(layers)
  t.deepEqual(net.toJSON(), everyKind)
  net.toJSON().pop()
  t.is(net.toJSON().length, everyKind.length, 'and hands them out as a list of its own')
  t.is(
    JSON.stringify(new Sequential([conv2d({ channels: 6, kernelSize: 5, activation: 'sigmoid' })])),
    '[{"kind":"conv2d","channels":6,"kernelSize":[5,5],"strides":[1,1],"padding":[0,0],"activation":"sigmoid"}]',
  )
})

test('a file made by hand may leave out what has a default', (t) => {
  const net = Sequential.fromJSON('[{"kind":"conv2d","channels":1,"kernelSize":3},{"kind":"maxPool2d","poolSize":2}]')
  t.deepEqual(net.toJSON(), [conv2d({ channels: 1, kernelSize: 3 }), maxPool2d({ poolSize: 2 })])
})

const dense1 = '{"kind":"dense","units":1}'

for (const [json, message] of [
  ['', /^The text of a network is no JSON \(.*\); pass what JSON\.stringify\(net\) made\.$/],
  ['[{"kind":"dense"', /is no JSON/],
  ['null', /an array of at least one layer for layers, but received null/],
  ['[]', /an array of at least one layer/],
  [dense1, /an array of at least one layer/],
  [`[${dense1},7]`, /a layer, such as .*, for layers\[1\], but received 7/],
  [`[[${dense1}]]`, /a layer, .* for layers\[0\]/],
  [`[${dense1},{"units":1}]`, /a layer, .* for layers\[1\]/],
  [`[${dense1},{"kind":"lstm"}]`, /a layer, .* for layers\[1\], .*lstm/],
  ['[{"kind":"__proto__"}]', /a layer, .* for layers\[0\]/],
  ['[{"kind":"constructor"}]', /a layer, .* for layers\[0\]/],
  ['[{"kind":["dense"],"units":1}]', /a layer, .* for layers\[0\]/],
  [`[${dense1},{"kind":"dense","units":1,"size":2}]`, /Unknown option "size" for layers\[1\]/],
  ['[{"kind":"dense","units":1,"poolSize":2}]', /^layers\[0\]: Unknown option "poolSize" for dense; it takes units/],
  ['[{"kind":"dense","units":1,"__proto__":{"activation":"relu"}}]', /Unknown option "__proto__" for layers\[0\]/],
  ['[{"kind":"dense","units":1,"constructor":{}}]', /Unknown option "constructor" for layers\[0\]/],
  [
    `[${dense1},{"kind":"dense","units":0}]`,
    /^layers\[1\]: Expected an integer of at least 1 for units, but received 0/,
  ],
  ['[{"kind":"dense","units":"1"}]', /^layers\[0\]: .* units, but received "1"/],
  [
    '[{"kind":"dense","units":1,"activation":"constructor"}]',
    /^layers\[0\]: .* activation, but received "constructor"/,
  ],
  ['[{"kind":"dense","units":1,"activation":{"kind":"relu"}}]', /^layers\[0\]: .* "relu", .* for activation/],
  ['[{"kind":"dense","units":1,"activation":null}]', /^layers\[0\]: .* activation, but received null/],
  ['[{"kind":"conv2d","channels":1,"kernelSize":[3]}]', /^layers\[0\]: .* a pair of integers for kernelSize/],
  ['[{"kind":"conv2d","channels":1,"kernelSize":[3,0]}]', /^layers\[0\]: .* kernelSize\[1\], but received 0/],
] as const) {
  test(`${json} is no network`, (t) => {
    t.throws(() => Sequential.fromJSON(json), { name: 'CandlewickError', code: 'INVALID_ARGUMENT', message })
  })
}

test('JSON without end or bottom is refused in words, and soon', (t) => {
  const refused = { name: 'CandlewickError', code: 'INVALID_ARGUMENT' }
  const deep = 200_000
  t.throws(() => Sequential.fromJSON('['.repeat(deep)), refused)
  t.throws(() => Sequential.fromJSON('['.repeat(deep) + ']'.repeat(deep)), refused)
  const nested = `${'{"kind":'.repeat(deep)}1${'}'.repeat(deep)}`
  t.throws(() => Sequential.fromJSON(`[${nested}]`), refused)
  t.throws(() => Sequential.fromJSON(`[{"kind":"dense","units":1,"activation":${nested}}]`), refused)
  t.throws(() => Sequential.fromJSON(`[${`${dense1},`.repeat(deep)}0]`), { ...refused, message: /layers\[200000\]/ })
  t.throws(() => Sequential.fromJSON(`[{"kind":"${'x'.repeat(1e7)}"}]`), refused)
})

test('what is no JSON at all is refused', (t) => {
  for (const json of [undefined, null, 7, {}, lenet()]) {
    t.throws(() => Sequential.fromJSON(json as never), {
      code: 'INVALID_ARGUMENT',
      message: /at least one layer for layers/,
    })
  }
  t.is(({} as { activation?: unknown }).activation, undefined, 'and no prototype was touched')
})
