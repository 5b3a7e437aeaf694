/**
 * The addon's CUDA engine on a driver that is the host (test/cuda-driver/driver.cpp): its calls, its errors, its figures. Needs
 * an addon that `npm run build:cuda` made; .ci/run makes it and sets REQUIRE_CUDA, others skip with a word.
 */

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { devices } from '#dist/index.js'

const hasCuda = !devices().some(({ description }) => description.includes('no CUDA engine'))
const folder = resolve('target/cuda-driver')

test.before(() => {
  if (!hasCuda) return
  mkdirSync(folder, { recursive: true })
  const library = join(folder, 'libcuda.so.1')
  const args = ['-std=c++17', '-O2', '-shared', '-fPIC', '-o', library, 'test/cuda-driver/driver.cpp']
  const { status, error } = spawnSync('c++', args, { stdio: 'inherit' })
  if (status !== 0) throw new Error(`The driver could not be compiled: ${error?.message ?? status}`)
})

/** Runs a program in a process that finds the driver; what it prints as JSON. */
async function onDriver(program: string, settings: Record<string, string> = {}): Promise<unknown> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', `${preface}\n${program}`], {
    env: { ...process.env, LD_LIBRARY_PATH: folder, ...settings },
  })
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ])
  if (stderr || code !== 0) throw new Error(`It ended with ${code ?? signal}: ${stderr}`)
  return JSON.parse(stdout)
}

/** The figures that a program prints on the GPU: so many, and within rounding those of the CPU. */
async function figuresOfCpu(
  t: ExecutionContext,
  count: number,
  program: (device: string) => string,
): Promise<number[]> {
  const [cpu = [], gpu = []] = (await Promise.all([
    onDriver(program('cpu')),
    onDriver(program('cuda:0')),
  ])) as number[][]
  t.is(gpu.length, count)
  t.true(
    gpu.every((figure, i) => Math.abs(figure - (cpu[i] ?? Number.NaN)) < 1e-4),
    `${gpu} and ${cpu}`,
  )
  return gpu
}

const preface = `
  import { adam, arrayDataset, dense, devices, evaluate, fit, lenet, Sequential, sgd, step, tryGpu } from 'candlewick'
  const data = Uint8Array.from({ length: 300 * 784 }, (_, i) => (i * i) % 251)
  const train = await arrayDataset({ images: { data, shape: [300, 1, 28, 28] }, labels: Uint8Array.from({ length: 300 }, (_, i) => i % 10) })
  async function ready(device) {
    const net = lenet()
    await net.initialize({ inputShape: [1, 28, 28], seed: 1, device })
    return net
  }
  async function losses(net, epochs = 3, optimizer = sgd({ learningRate: 0.5, momentum: 0.5 })) {
    const figures = []
    const options = { epochs, batchSize: 64, optimizer, test: train }
    for await (const { loss, testAcc } of fit(net, train, options)) figures.push(loss, testAcc)
    return figures
  }
  async function failure(work) {
    try {
      await work()
    } catch ({ code, message }) {
      return { code, message }
    }
  }
`

if (!hasCuda) {
  const run = process.env.REQUIRE_CUDA ? test : test.skip
  run('an addon with the CUDA engine', (t) => t.fail('this addon has none; npm run build:cuda makes one that has'))
} else {
  test('a GPU is listed and chosen, and where there is no driver the reason is given', async (t) => {
    const [, gpu] = (await onDriver('console.log(JSON.stringify(devices()))')) as {
      name: string
      description: string
    }[]
    t.like(gpu, { name: 'cuda:0', description: 'Fake GPU, 1.0 GiB, compute capability 9.0', available: true })
    t.is(await onDriver('console.log(JSON.stringify(tryGpu()))'), 'cuda:0')
    const none = (await onDriver('console.log(JSON.stringify([devices()[1], tryGpu()]))', { LD_LIBRARY_PATH: '' })) as [
      { description: string },
      string,
    ]
    t.is(none[0].description, 'there is no NVIDIA driver (libcuda.so.1) on this machine')
    t.is(none[1], 'cpu')
  })

  test('a GPU that only the other engine can use is an error that says why', async (t) => {
    const program = `
      const error = await failure(() => lenet().initialize({ engine: 'candle', device: 'cuda:0' }))
      console.log(JSON.stringify([error, tryGpu('candle')]))`
    const [error, tried] = (await onDriver(program)) as [{ code: string; message: string }, string]
    t.is(error.code, 'DEVICE_UNAVAILABLE')
    t.regex(error.message, /^Cuda:0 was asked for, but .*(no CUDA for the engine "candle"|needs CUDA's cuBLAS)/i)
    t.is(tried, 'cpu')
  })

  test('training gives the figures of the CPU', async (t) => {
    const program = (device: string) => `console.log(JSON.stringify(await losses(await ready('${device}'))))`
    const gpu = await figuresOfCpu(t, 6, program)
    t.deepEqual(await onDriver(program('cuda:0')), gpu, 'to the last bit')
  })

  test('Adam gives the figures of the CPU, and so does SGD after it', async (t) => {
    const program = (device: string) => `
      const net = await ready('${device}')
      const figures = await losses(net, 3, adam({ learningRate: 0.01, epsilon: 0.01 }))
      console.log(JSON.stringify([...figures, ...(await losses(net, 1))]))`
    await figuresOfCpu(t, 8, program)
  })

  test('a learning rate that changes from epoch to epoch gives the figures of the CPU', async (t) => {
    const program = (device: string) => `
      const net = await ready('${device}')
      const optimizer = { learningRate: 0.5, momentum: 0.5 }
      const figures = []
      for (const learningRate of [0.5, 0.1, 1]) {
        optimizer.learningRate = learningRate
        figures.push(...(await losses(net, 1, optimizer)))
      }
      console.log(JSON.stringify(figures))`
    await figuresOfCpu(t, 6, program)
  })

  test('a step, a prediction, saved and loaded parameters', async (t) => {
    const program = (device: string) => `
      const net = await ready('${device}')
      const images = train.images(0, 20)
      const { loss } = await step(net, images, train.labels(0, 20), sgd({ learningRate: 0.1 }))
      const { logits } = await net.predict({ data: Float32Array.from(images.data, (v) => v / 255), shape: images.shape })
      const weights = (await net.parameters())['dense2.weight'].data
      console.log(JSON.stringify([loss, ...logits, ...weights]))`
    const [cpu, gpu] = (await Promise.all([onDriver(program('cpu')), onDriver(program('cuda:0'))])) as number[][]
    t.is(gpu?.length, 1 + 200 + 840)
    t.true(gpu?.every((value, i) => Math.abs(value - (cpu?.[i] ?? Number.NaN)) < 1e-5))
  })

  test('a GPU that is not there, or too old, or has an old driver, is said to be', async (t) => {
    const program = `console.log(JSON.stringify(await failure(() => ready('cuda:1'))))`
    t.like(await onDriver(program), {
      code: 'DEVICE_UNAVAILABLE',
      message: 'cuda:1 was asked for, but this machine has 1 CUDA devices, from cuda:0.',
    })
    const old = `console.log(JSON.stringify(await failure(() => ready('cuda:0'))))`
    const error = (await onDriver(old, { FAKE_CUDA_OLD: '1' })) as { message: string }
    t.is(error.message, 'cuda:0, a Fake GPU, has compute capability 7.0; candlewick needs 8.0 or newer.')
    t.is(await onDriver('console.log(JSON.stringify(tryGpu()))', { FAKE_CUDA_OLD: '1' }), 'cpu')
    const outdated = (await onDriver(old, { FAKE_CUDA_VERSION: '12080' })) as { message: string }
    t.regex(
      outdated.message,
      /^cuda:0 was asked for, but the NVIDIA driver supports CUDA 12\.8 at most; candlewick needs .* 13\.0/,
    )
  })

  test("a toolkit's stub of the driver is told from an old driver and from one that fails", async (t) => {
    const program = `console.log(JSON.stringify([await failure(() => ready('cuda:0')), devices()[1], tryGpu()]))`
    for (const answer of ['34', '0']) {
      const [error, gpu, chosen] = (await onDriver(program, { FAKE_CUDA_STUB: answer })) as [
        { code: string; message: string },
        { description: string; available: boolean },
        string,
      ]
      t.is(error.code, 'DEVICE_UNAVAILABLE')
      t.regex(
        error.message,
        /^cuda:0 was asked for, but the libcuda\.so .* is not an NVIDIA driver .* LD_LIBRARY_PATH; use/,
      )
      t.regex(
        gpu.description,
        /^the libcuda\.so that was found is .* toolkit's stub .* take the .* out of LD_LIBRARY_PATH$/,
      )
      t.deepEqual([gpu.available, chosen], [false, 'cpu'])
    }
    const [error] = (await onDriver(program, { FAKE_CUDA_STUB: '999' })) as [{ code: string; message: string }]
    t.is(error.code, 'DEVICE_UNAVAILABLE')
    t.regex(error.message, /but the NVIDIA driver does not say its version: .*UNKNOWN/)
  })

  test('too little memory names the numbers, and the CPU stays usable', async (t) => {
    const program = `
      const error = await failure(async () => losses(await ready('cuda:0')))
      console.log(JSON.stringify([error, (await losses(await ready('cpu'), 1)).length]))`
    const [error, figures] = (await onDriver(program, { FAKE_CUDA_MEMORY: '3000000' })) as [
      { code: string; message: string },
      number,
    ]
    t.is(error.code, 'OUT_OF_MEMORY')
    t.regex(
      error.message,
      /^[\d.]+ [KM]iB of the GPU's memory was asked for, but [\d.]+ ([KM]iB|bytes) of its 2\.9 MiB are free; make .* networks\.$/,
    )
    t.is(figures, 2)
  })

  test('of many datasets, two stay on the GPU', async (t) => {
    const program = `
      const net = new Sequential([dense({ units: 10 })])
      await net.initialize({ inputShape: [1, 28, 28], seed: 1, device: 'cuda:0' })
      const found = []
      for (let i = 0; i < 5; i++) {
        const images = { data: new Uint8Array(10_000 * 784).fill(i), shape: [10_000, 1, 28, 28] }
        const dataset = await arrayDataset({ images, labels: new Uint8Array(10_000) })
        found.push((await evaluate(net, dataset)).loss)
      }
      console.log(JSON.stringify(found))`
    const losses = (await onDriver(program, { FAKE_CUDA_MEMORY: '30000000' })) as number[]
    t.is(new Set(losses).size, 5)
  })

  test('a lost device is an error of its network, and the CPU stays usable', async (t) => {
    const program = `
      const net = await ready('cuda:0')
      const first = await failure(() => losses(net))
      const second = await failure(() => net.parameters())
      console.log(JSON.stringify([first, second, (await losses(await ready('cpu'), 1)).length]))`
    const [first, second, figures] = (await onDriver(program, { FAKE_CUDA_LOST: '9' })) as [
      { code: string; message: string },
      { code: string },
      number,
    ]
    t.is(first.code, 'DEVICE_LOST')
    t.regex(first.message, /CUDA_ERROR_LAUNCH_FAILED.*what was on it is lost, and this process must start anew/)
    t.is(second.code, 'DEVICE_LOST')
    t.is(figures, 2)
  })
}
