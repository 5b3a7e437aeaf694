import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
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

test('what a build lacks is said in the words by which scripts/ready.js knows builds apart', async (t) => {
  const ready = await readFile(join('scripts', 'ready.js'), 'utf8')
  const engines = join('crates', 'candlewick', 'src', 'engine')
  for (const [file, lack] of [
    ['fused.rs', 'CUDA engine'],
    [join('candle', 'devices.rs'), 'CUDA for the engine'],
    [join('candle', 'devices.rs'), 'Metal'],
  ] as const) {
    t.true((await readFile(join(engines, file), 'utf8')).includes(`"this build of candlewick has no ${lack}`), lack)
    t.true(ready.includes(`lacks('${lack}')`), lack)
  }
})
