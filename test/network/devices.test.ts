import test from 'ava'
import { devices, tryGpu } from 'candlewick'
import { firstGpu } from '#dist/network/devices.js'

test('the first GPU that can be used is taken, and the processor where there is none', (t) => {
  const cpu = { name: 'cpu', available: true }
  for (const [found, expected] of [
    [[cpu], 'cpu'],
    [[cpu, { name: 'cuda', available: false }], 'cpu'],
    [[cpu, { name: 'cuda:0', available: false }], 'cpu'],
    [[cpu, { name: 'cuda:0', available: false }, { name: 'cuda:1', available: true }], 'cuda:1'],
    [[cpu, { name: 'cuda:0', available: true }, { name: 'cuda:1', available: true }], 'cuda:0'],
    [[cpu, { name: 'other:0', available: true }], 'cpu'],
    [[cpu, { name: 'cuda', available: false }, { name: 'metal', available: true }], 'metal'],
    [[cpu, { name: 'metal', available: false }], 'cpu'],
  ] as const) {
    t.is(firstGpu(found), expected)
  }
})

test('what is tried is among the devices', (t) => {
  const [cpu, ...others] = devices()
  t.like(cpu, { name: 'cpu', available: true })
  t.true([cpu, ...others].some((device) => device?.available && device.name === tryGpu()))
})
