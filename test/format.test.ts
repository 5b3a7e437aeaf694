import test from 'ava'
import { formatDevice, formatEpoch, formatShape } from 'candlewick'

const epoch = { epoch: 3, loss: 0.00004, trainAcc: 1, learningRate: 0.9, trainSeconds: 59.96 }

test('an epoch line rounds, and adds the seconds of evaluation to those of training', (t) => {
  t.is(formatEpoch(epoch), 'epoch 3, loss 0.0000, train acc 1.000, time 60.0 sec')
  t.is(
    formatEpoch({ ...epoch, testAcc: 0, evalSeconds: 0.04 }),
    'epoch 3, loss 0.0000, train acc 1.000, test acc 0.000, time 60.0 sec',
  )
  t.is(
    formatEpoch({ ...epoch, trainSeconds: 1.5, evalSeconds: 2.25 })
      .split(', ')
      .at(-1),
    'time 3.8 sec',
  )
  t.is(
    formatEpoch({ ...epoch, loss: Number.NaN, trainAcc: 0.0995 }).slice(0, 40),
    'epoch 3, loss NaN, train acc 0.100, time',
  )
})

test('figures of validation stand between those of training and of the test', (t) => {
  const line = 'epoch 3, loss 0.0000, train acc 1.000, val acc 0.250'
  t.is(formatEpoch({ ...epoch, valLoss: 2, valAcc: 0.25 }), `${line}, time 60.0 sec`)
  const validated = { ...epoch, valLoss: 2, valAcc: 0.25, testLoss: 3, testAcc: 0.5 }
  t.is(formatEpoch(validated), `${line}, test acc 0.500, time 60.0 sec`)
  const { trainAcc, ...regression } = epoch
  t.is(
    formatEpoch({ ...regression, valLoss: 0.5, testLoss: 0.25 }),
    'epoch 3, loss 0.0000, val loss 0.5000, test loss 0.2500, time 60.0 sec',
  )
})

test('an epoch of a loss without right answers has its losses', (t) => {
  const { trainAcc, ...regression } = epoch
  t.is(formatEpoch(regression), 'epoch 3, loss 0.0000, time 60.0 sec')
  t.is(
    formatEpoch({ ...regression, testLoss: 0.25, evalSeconds: 1 }),
    'epoch 3, loss 0.0000, test loss 0.2500, time 61.0 sec',
  )
})

test('a shape reads as a tuple', (t) => {
  t.is(formatShape([1, 6, 24, 24]), '(1, 6, 24, 24)')
  t.is(formatShape([10]), '(10)')
  t.is(formatShape([]), '()')
})

test('a device reads as in the d2l text', (t) => {
  t.is(formatDevice('cpu'), 'cpu(0)')
  t.is(formatDevice('cuda:0'), 'gpu(0)')
  t.is(formatDevice('cuda:15'), 'gpu(15)')
  for (const other of ['cuda', 'cuda:', 'cuda:x', 'cuda:1x', 'xcuda:1', '']) t.is(formatDevice(other), other)
})
