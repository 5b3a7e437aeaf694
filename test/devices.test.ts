import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { devices, tryGpu } from 'candlewick'

/** tryGpu, where the addon finds these devices. */
async function tryGpuAmong(found: { name: string; available: boolean }[]): Promise<() => string> {
  const addon = `data:text/javascript,export const devices = () => (${JSON.stringify(found)})`
  const code = (await readFile('dist/devices.js', 'utf8'))
    .replace(/\/\/#.*/, '')
    .replace("'../index.js'", JSON.stringify(addon))
    .replace("'./errors.js'", JSON.stringify(pathToFileURL('dist/errors.js').href))
  return (await import(`data:text/javascript,${encodeURIComponent(code)}`)).tryGpu
}

test('the first GPU that can be used is taken, and the processor where there is none', async (t) => {
  const cpu = { name: 'cpu', available: true }
  for (const [found, expected] of [
    [[cpu], 'cpu'],
    [[cpu, { name: 'cuda', available: false }], 'cpu'],
    [[cpu, { name: 'cuda:0', available: false }], 'cpu'],
    [[cpu, { name: 'cuda:0', available: false }, { name: 'cuda:1', available: true }], 'cuda:1'],
    [[cpu, { name: 'cuda:0', available: true }, { name: 'cuda:1', available: true }], 'cuda:0'],
    [[cpu, { name: 'other:0', available: true }], 'cpu'],
  ] as const) {
    t.is((await tryGpuAmong([...found]))(), expected)
  }
})

test('what is tried is among the devices', (t) => {
  const [cpu, ...others] = devices()
  t.like(cpu, { name: 'cpu', available: true })
  t.true([cpu, ...others].some((device) => device?.available && device.name === tryGpu()))
})
