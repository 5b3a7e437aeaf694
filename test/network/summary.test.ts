import test from 'ava'
import {
  activation,
  avgPool2d,
  batchNorm,
  conv2d,
  dense,
  flatten,
  lenet,
  maxPool2d,
  modernLeNet,
  residual,
  Sequential,
} from 'candlewick'
import { multiplyAdds } from '#dist/network/multiply-adds.js'
import { markdownTable } from '#dist/network/summary.js'

test("LeNet's summary has the numbers that one counts by hand", (t) => {
  // conv0: 6 · 24 · 24 outputs of 25 each; conv1: 16 · 8 · 8 of 6 · 25; dense: 256 · 120, 120 · 84, 84 · 10.
  // A step of two: 2 · 44426 + 2 · (784 + 2 · (3456 + 864 + 1024 + 256 + 120 + 84 + 10)) floats of 4 bytes.
  t.is(
    lenet().summary([1, 28, 28], { batchSize: 2 }),
    `
layer (type)       output shape    parameters  not trained  multiply-adds
conv0 (conv2d)     (1, 6, 24, 24)         156            0          86400
pool0 (maxPool2d)  (1, 6, 12, 12)           0            0              0
conv1 (conv2d)     (1, 16, 8, 8)         2416            0         153600
pool1 (maxPool2d)  (1, 16, 4, 4)            0            0              0
dense0 (dense)     (1, 120)             30840            0          30720
dense1 (dense)     (1, 84)              10164            0          10080
dense2 (dense)     (1, 10)                850            0            840
total                                   44426            0         281640

44426 parameters that are trained, 0 that are not
a step with a batch of 2 holds about 444.0 KiB`.slice(1),
  )
  const bytes = 4 * (2 * 44426 + 2 * (784 + 2 * 5814))
  t.is((bytes / 1024).toFixed(1), '444.0')
})

test("a residual block's layers stand below it, by what they take and make", (t) => {
  const net = new Sequential([
    conv2d({ channels: 4, kernelSize: 3, strides: 2, padding: 1 }),
    residual([conv2d({ channels: 4, kernelSize: 3, padding: 'same' }), residual([batchNorm()])], {
      shortcut: [conv2d({ channels: 4, kernelSize: 1 }), activation('relu')],
    }),
    flatten(),
    residual([dense({ units: 16 }), batchNorm({ trainable: false })]),
    dense({ units: 2 }),
  ])
  const lines = net
    .summary([1, 4, 4])
    .split('\n')
    .map((line) => line.replace(/ {2,}(?=\S)/g, (gap, at) => (at === 0 ? gap : '  ')))
  t.deepEqual(lines.slice(1, -3), [
    'conv0 (conv2d)  (1, 4, 2, 2)  40  0  144',
    'residual0 (residual)  (1, 4, 2, 2)  176  8  640',
    '  body.conv0 (conv2d)  (1, 4, 2, 2)  148  0  576',
    '  body.residual0 (residual)  (1, 4, 2, 2)  8  8  0',
    '    body.norm0 (batchNorm)  (1, 4, 2, 2)  8  8  0',
    '  shortcut.conv0 (conv2d)  (1, 4, 2, 2)  20  0  64',
    '  shortcut.activation0 (activation)  (1, 4, 2, 2)  0  0  0',
    'flatten0 (flatten)  (1, 16)  0  0  0',
    'residual1 (residual)  (1, 16)  272  64  256',
    '  body.dense0 (dense)  (1, 16)  272  0  256',
    '  body.norm0 (batchNorm)  (1, 16)  0  64  0',
    'dense0 (dense)  (1, 2)  34  0  32',
    'total  522  72  1072',
  ])
  t.is(lines.at(-2), '522 parameters that are trained, 72 that are not')
})

test('multiply-adds are those of convolutions, their groups apart, and of dense layers', (t) => {
  const conv = conv2d({ channels: 8, kernelSize: [3, 2], groups: 4 })
  t.is(multiplyAdds(conv, [4, 9, 9], [8, 7, 8]), 8 * 7 * 8 * 1 * 3 * 2)
  t.is(multiplyAdds(conv2d({ channels: 8, kernelSize: 1 }), [4, 9, 9], [8, 9, 9]), 8 * 81 * 4)
  t.is(multiplyAdds(dense({ units: 3 }), [4, 2, 2], [3]), 48)
  t.is(multiplyAdds(dense({ units: 3 }), [7], [3]), 21)
  for (const layer of [maxPool2d({ poolSize: 2 }), avgPool2d({ poolSize: 2 }), batchNorm()]) {
    t.is(multiplyAdds(layer, [4, 2, 2], [4, 1, 1]), 0)
  }
})

test('the shape of images is given, or the one that the network has', async (t) => {
  const net = new Sequential([dense({ units: 2 })])
  t.throws(() => net.summary(), {
    code: 'NOT_INITIALIZED',
    message: /pass one, as in net\.summary\(\[1, 28, 28\]\)\.$/,
  })
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu' })
  t.is(net.summary(), net.summary([1, 2, 2]))
  t.not(net.summary([1, 3, 3]), net.summary([1, 2, 2]))
  t.regex(net.summary([1, 2, 2], { batchSize: 1 }), /a step with a batch of 1 /)
  t.regex(net.summary([1, 2, 2]), /a step with a batch of 32 /)
  t.throws(() => net.summary([1, 2]), { code: 'INVALID_ARGUMENT', message: /inputShape/ })
  t.throws(() => net.summary([1, 2, 2], { batchSize: 0 }), { code: 'INVALID_ARGUMENT', message: /batchSize/ })
  t.throws(() => net.summary([1, 2, 2], { batchsize: 1 } as object), { message: /"batchsize" for summary/ })
})

test('large steps are told in large units', (t) => {
  const net = modernLeNet()
  const told = (batchSize: number) => net.summary([1, 28, 28], { batchSize }).split('about ')[1]
  t.regex(told(100) ?? '', /^10\d\.\d MiB$/)
  t.regex(told(10_000) ?? '', /^1\d\.\d GiB$/)
  t.regex(told(2 ** 31 - 1) ?? '', /^\d{4}\.\d TiB$/)
})

test('as Markdown, the table keeps what is indented', (t) => {
  const layers = [residual([activation('relu')])]
  t.is(
    markdownTable(layers, [1, 2, 2]),
    `
| layer (type) | output shape | parameters | not trained | multiply-adds |
| --- | --- | ---: | ---: | ---: |
| residual0 (residual) | (1, 1, 2, 2) | 0 | 0 | 0 |
| &nbsp;&nbsp;body.activation0 (activation) | (1, 1, 2, 2) | 0 | 0 | 0 |
| total |  | 0 | 0 | 0 |`.slice(1),
  )
})
