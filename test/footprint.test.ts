/** Whose memory it is, how much, and until when. Each program runs in a process of its own, so that nothing else counts. */

import { spawn, spawnSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { arrayDataset, dense, Sequential } from 'candlewick'

const isLinux = process.platform === 'linux'

/** What a program prints, as JSON; `limits` are prlimit's. */
async function run(program: string, limits: string[] = []): Promise<unknown> {
  const node = [process.execPath, '--expose-gc', '--input-type=module', '--eval', `${preface}\n${program}`]
  const [command, ...args] = [...limits, ...node] as [string, ...string[]]
  const child = spawn(command, args)
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  if (stdout === '') throw new Error(`It ended with ${child.exitCode ?? child.signalCode}: ${stderr}`)
  return JSON.parse(stdout)
}

const preface = `
  import fs from 'node:fs'
  import { arrayDataset, conv2d, dense, evaluate, fit, maxPool2d, Sequential, sgd, step } from 'candlewick'
  const MB = () => Math.round(process.memoryUsage().rss / 1e6)
  const dataset = (n, shape = [1, 28, 28]) => {
    const images = { data: new Uint8Array(n * shape.reduce((a, b) => a * b)), shape: [n, ...shape] }
    return arrayDataset({ images, labels: new Uint8Array(n) })
  }
  const threads = () => fs.readdirSync('/proc/self/task').length
`

const onLinux = isLinux ? test.serial : test.serial.skip

test("arrays are JavaScript's own, to be transferred", async (t) => {
  const images = { data: new Uint8Array(8), shape: [2, 1, 2, 2] }
  const data = await arrayDataset({ images, labels: [0, 1] })
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1 })
  const [batch] = data.batches({ batchSize: 2 })
  const { logits, probabilities, labels } = await net.predict(images)
  const weight = (await net.parameters())['dense0.weight']?.data
  const arrays = [
    data.images().data,
    data.labels(),
    batch?.images.data,
    batch?.labels,
    logits,
    probabilities,
    labels,
    weight,
  ]
  for (const array of arrays) {
    const { length, buffer } = array as Uint8Array
    t.is(structuredClone(array, { transfer: [buffer as ArrayBuffer] })?.length, length)
    t.is(array?.length, 0, 'it is given away, not copied')
  }
})

onLinux('a synchronous pass over the data keeps nothing', async (t) => {
  const grown = await run(`
    const data = await dataset(20_000)
    let sum = 0
    const pass = () => {
      for (const { images, labels } of data.batches({ batchSize: 256 })) sum += images.data[0] + labels[0]
      for (let i = 0; i < 20_000; i += 1000) sum += data.images(i, i + 1000).data[0]
    }
    pass()
    const before = MB()
    for (let i = 0; i < 20; i++) pass()
    console.log(MB() - before)`)
  t.true((grown as number) < 150, `20 passes over 2 x 16 MB grew the process by ${grown} MB`)
})

const hasLimits = isLinux && spawnSync('prlimit', ['--version']).status === 0
const underLimit = hasLimits ? test.serial : test.serial.skip

for (const [what, call] of [
  ['copies of images', 'for (;;) kept.push(data.images())'],
  ['a batch of a long order', 'kept.push(data.batches({ batchSize: 1 << 22, order }).next())'],
  ['predictions of many classes', 'for (;;) kept.push(await wide.predict(pixels))'],
  ['copies of parameters', 'for (;;) kept.push(await net.parameters())'],
  ['datasets', 'for (;;) kept.push(await arrayDataset({ images, labels }))'],
  ['networks', 'for (;;) kept.push(await network(20_000))'],
  [
    'a step on a large batch',
    'kept.push(await step(wide, { data: new Float32Array(1.6e8), shape: [1.6e8, 1, 1, 1] }, new Uint8Array(1.6e8), optimizer))',
  ],
] as const) {
  underLimit(`too little memory for ${what} is an error, and the process goes on`, async (t) => {
    const program = `
      const network = async (units, inputShape = [1, 28, 28]) => {
        const net = new Sequential([dense({ units })])
        await net.initialize({ inputShape, device: 'cpu', seed: 1, threads: 1 })
        return net
      }
      const [data, net, wide, kept] = [await dataset(20_000), await network(20_000), await network(20_000, [1, 1, 1]), []]
      // What is JavaScript's own must not be what fails.
      const order = new Uint32Array(1 << 22)
      const pixels = { data: new Uint8Array(2000), shape: [2000, 1, 1, 1] }
      const [images, labels] = [data.images(), data.labels()]
      const optimizer = sgd({ learningRate: 1 })
      try {
        ${call}
      } catch (error) {
        kept.length = 0
        gc()
        // What was let go of is given back within some turns of the event loop.
        let answer
        for (let i = 0; !answer && i < 50; i++) {
          await new Promise((resolve) => setTimeout(resolve, 100))
          answer = await net.predict(data.images(0, 1)).catch(() => undefined)
        }
        const { labels } = answer
        console.log(JSON.stringify([error.name, error.code, error.message, labels.length]))
      }`
    // What is left when the memory ends differs by what has been taken before.
    const limits = [2_453_000_000, 2_460_000_000, 2_467_000_000]
    for (const limit of limits) {
      const [name, code, message, length] = (await run(program, ['prlimit', `--as=${limit}`])) as string[]
      t.deepEqual([name, code], ['CandlewickError', 'OUT_OF_MEMORY'], message)
      t.regex(message ?? '', /memory/)
      t.is(Number(length), 1, `${limit}`)
    }
  })
}

onLinux('a network takes memory for what it does, when it does it', async (t) => {
  const [initialized, predicted] = (await run(`
    const conv = () => conv2d({ channels: 32, kernelSize: 3, padding: 1, activation: 'relu' })
    const net = new Sequential([conv(), conv(), maxPool2d({ poolSize: 2 }), dense({ units: 2 })])
    const before = MB()
    await net.initialize({ inputShape: [3, 224, 224], device: 'cpu', seed: 1, threads: 16 })
    const initialized = MB() - before
    await net.predict({ data: new Uint8Array(3 * 224 * 224), shape: [1, 3, 224, 224] })
    console.log(JSON.stringify([initialized, MB() - before]))`)) as [number, number]
  t.true(initialized < 40, `initialize takes ${initialized} MB`)
  // Two layers' values of sixteen images, 103 MB each, and the padded input of one, are all that is ever in use.
  t.true(predicted < 400, `a prediction takes ${predicted} MB`)
})

onLinux('networks and datasets that were disposed of give their memory back', async (t) => {
  const [held, left] = (await run(`
    const nets = []
    const before = MB()
    for (let i = 0; i < 10; i++) {
      const net = new Sequential([dense({ units: 5000 })])
      await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1, threads: 1 })
      nets.push(net, await dataset(20_000))
    }
    gc()
    const held = MB() - before
    for (const each of nets) await each.dispose()
    gc()
    console.log(JSON.stringify([held, MB() - before]))`)) as [number, number]
  t.true(held > 250, `they held ${held} MB`)
  t.true(left < held / 2, `of ${held} MB, ${left} MB are left`)
})

onLinux('hundreds of networks at work at once share some threads', async (t) => {
  const [answers, most] = (await run(`
    const nets = []
    for (let i = 0; i < 200; i++) {
      const net = new Sequential([dense({ units: 2 })])
      await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1, threads: 4 })
      nets.push(net)
    }
    const before = threads()
    const images = { data: new Uint8Array(80_000), shape: [20_000, 1, 2, 2] }
    const working = nets.map((net) => net.predict(images))
    let most = 0
    const timer = setInterval(() => (most = Math.max(most, threads() - before)), 1)
    const answers = await Promise.all(working)
    clearInterval(timer)
    console.log(JSON.stringify([answers.length, most]))`)) as [number, number]
  t.is(answers, 200)
  t.true(most < 140, `200 networks at work had ${most} threads`)
})

onLinux('hundreds of networks share a few threads', async (t) => {
  const most = await run(`
    const before = threads()
    const kept = []
    let most = 0
    for (let i = 0; i < 200; i++) {
      const net = new Sequential([dense({ units: 2 })])
      await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1, threads: 1 + (i % 4) })
      await net.predict({ data: new Uint8Array(400), shape: [100, 1, 2, 2] })
      if (i % 2) kept.push(net)
      most = Math.max(most, threads() - before)
    }
    console.log(most)`)
  t.true((most as number) < 50, `200 networks, one at work at a time, had ${most} threads`)
})
