import test from 'ava'
import { readParameters, writeParameters } from '#dist/training/callbacks/kept-parameters.js'

test('values are base64 of float32, least byte first, and come back', (t) => {
  const values = new Float32Array([9, 1, -2, 0.5]).subarray(1)
  const parameters = { w: { shape: [3, 1], data: values }, none: { shape: [1], data: Float32Array.of(Number.NaN) } }
  const written = writeParameters(parameters)
  // 0x3f800000, 0xc0000000, 0x3f000000
  t.like(written, { w: { shape: [3, 1], data: 'AACAPwAAAMAAAAA/' } })
  t.deepEqual(readParameters(JSON.parse(JSON.stringify(written))), parameters)
})

test('what is none is refused', (t) => {
  const good = { shape: [1], data: 'AACAPw==' }
  t.deepEqual(readParameters({ w: good }), { w: { shape: [1], data: Float32Array.of(1) } })
  for (const [wrong, message] of [
    [5, /an object of parameters/],
    [null, /an object of parameters/],
    [{ w: { ...good, shape: [2] } }, /2 values for w\.data/],
    [{ w: { ...good, shape: 1 } }, /a shape for w\.shape/],
    [{ w: { ...good, shape: [0] } }, /at least 1 for w\.shape/],
    [{ w: { ...good, data: 'AACAP' } }, /1 values for w\.data/],
    [{ w: { ...good, data: 'AACAPwAA' } }, /1 values for w\.data/],
    [{ w: { ...good, more: 1 } }, /"more"/],
  ] as [unknown, RegExp][]) {
    t.throws(() => readParameters(wrong), { code: 'INVALID_ARGUMENT', message }, JSON.stringify(wrong))
  }
})
