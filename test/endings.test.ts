/** However a program or a worker of it ends, it ends as it was told to, with no crash of threads that it left behind. */

import { spawn } from 'node:child_process'
import test from 'ava'
import { finish, type Outcome, quiet } from './run-command.js'

/** More by hand, for a long form: CANDLEWICK_WORKERS=500. */
const workers = Number(process.env.CANDLEWICK_WORKERS ?? 30)

const preface = `
  import fs from 'node:fs'
  import { arrayDataset, fit, lenet, Sequential, dense, sgd } from 'candlewick'
  const images = { data: Uint8Array.from({ length: 1000 * 784 }, (_, i) => (i * i) % 251), shape: [1000, 1, 28, 28] }
  const data = await arrayDataset({ images, labels: Uint8Array.from({ length: 1000 }, (_, i) => i % 10) })
  const options = { epochs: 1_000_000, batchSize: 64, optimizer: sgd({ learningRate: 0.1 }) }
  /** A training that never ends by itself, with predictions between; begun with the first epoch. */
  async function train(begun, threads = 2) {
    const net = lenet()
    await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1, threads })
    setInterval(() => net.predict(data.images(0, 100)), 10)
    for await (const epoch of fit(net, data, options)) if (epoch.epoch === 1) begun()
  }
`

/** Threads of the addon in this process, on Linux. */
const ownThreads = `
  const ownThreads = () => fs.readdirSync('/proc/self/task')
    .map((id) => fs.readFileSync('/proc/self/task/' + id + '/comm', 'utf8').trim())
    .filter((name) => name.startsWith('candlewick'))
`

/** Runs a program in a process of its own, and kills it once it prints \`ready\`, if a signal is given. */
function run(program: string, signal?: NodeJS.Signals): Promise<Outcome> {
  const child = spawn(process.execPath, [...quiet, '--input-type=module', '--eval', program])
  if (signal) child.stdout.once('data', () => child.kill(signal))
  return finish(child)
}

test('workers that train are terminated at any time', async (t) => {
  t.timeout(60_000 + workers * 4000)
  const ofAWorker = `import { parentPort } from 'node:worker_threads'
    ${preface}
    await train(() => parentPort.postMessage('trains'))`
  const program = `
    import { Worker } from 'node:worker_threads'
    let seed = 1
    const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647
    const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
    let [left, trained, failed] = [${workers}, 0, 0]
    async function oneAfterTheOther() {
      while (left-- > 0) {
        const [wait, afterwards] = [random() * 2000, random() * 100]
        const worker = new Worker(${JSON.stringify(ofAWorker)}, { eval: true, execArgv: [...process.execArgv] })
        const trains = new Promise((resolve) => worker.once('message', resolve)).then(() => trained++)
        worker.once('error', () => failed++)
        await (wait < 1000 ? pause(wait) : trains.then(() => pause(afterwards)))
        await worker.terminate()
      }
    }
    await Promise.all([1, 2, 3, 4].map(oneAfterTheOther))
    console.log(JSON.stringify({ trained, failed }))`
  const { end, stdout, stderr } = await run(program)
  t.deepEqual([end, stderr], [0, ''])
  const { trained, failed } = JSON.parse(stdout) as { trained: number; failed: number }
  t.log(`${workers} workers, ${trained} of which came to train`)
  t.is(failed, 0)
  t.true(trained >= workers / 4, `${trained} of ${workers} came to train`)
})

test('process.exit while it trains', async (t) => {
  t.deepEqual(await run(`${preface} await train(() => setTimeout(() => process.exit(7), 50))`), {
    end: 7,
    stdout: '',
    stderr: '',
  })
})

test('an error that nobody catches, while it trains', async (t) => {
  const { end, stderr } = await run(`${preface}
    await train(() => setTimeout(() => { throw new Error('uncaught') }, 50))`)
  t.is(end, 1)
  t.regex(stderr, /Error: uncaught/)
})

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} while it trains`, async (t) => {
    const { end, stderr } = await run(`${preface} await train(() => console.log('ready'))`, signal)
    t.deepEqual([end, stderr], [signal, ''])
  })
}

test('SIGTERM that a program handles while workers train', async (t) => {
  const ofAWorker = `import { parentPort } from 'node:worker_threads'
    ${preface}
    await train(() => parentPort.postMessage('trains'))`
  const program = `
    import { Worker } from 'node:worker_threads'
    const workers = [1, 2].map(() => new Worker(${JSON.stringify(ofAWorker)}, { eval: true, execArgv: [...process.execArgv] }))
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))))
    process.on('SIGTERM', () => process.exit(3))
    console.log('ready')`
  t.deepEqual(await run(program, 'SIGTERM'), { end: 3, stdout: 'ready\n', stderr: '' })
})

test('many engines at the end', async (t) => {
  const program = `${preface}
    const nets = []
    for (let i = 0; i < 60; i++) {
      const net = i % 2 ? lenet() : new Sequential([dense({ units: 3 + i })])
      await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: i, threads: 1 + (i % 5) })
      nets.push(net)
    }
    await Promise.all(nets.map((net) => net.predict(data.images(0, 64))))
    globalThis.nets = nets
    console.log(nets.length)`
  t.deepEqual(await run(program), { end: 0, stdout: '60\n', stderr: '' })
})

const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('no thread is left when the process ends', async (t) => {
  // Whose listener this is comes after the addon's.
  const program = `${preface} ${ownThreads}
    process.on('exit', () => console.log(JSON.stringify([before, ownThreads()])))
    let before
    await train(() => setTimeout(() => { before = ownThreads().length; process.exit(0) }, 50))`
  const { end, stdout } = await run(program)
  t.is(end, 0)
  const [before, left] = JSON.parse(stdout) as [number, string[]]
  t.true(before >= 2, `${before} threads trained`)
  t.deepEqual(left, [])
})

onLinux('no thread is left when the last worker ends, and the next one has new ones', async (t) => {
  const ofAWorker = `import { parentPort } from 'node:worker_threads'
    ${preface}
    await train(() => parentPort.postMessage('trains'))`
  const program = `import fs from 'node:fs'
    import { Worker } from 'node:worker_threads'
    ${ownThreads}
    const counts = []
    for (let i = 0; i < 2; i++) {
      const worker = new Worker(${JSON.stringify(ofAWorker)}, { eval: true, execArgv: [...process.execArgv] })
      await new Promise((resolve) => worker.once('message', resolve))
      const trains = ownThreads().length > 1
      await worker.terminate()
      counts.push(trains, ownThreads().length)
    }
    console.log(JSON.stringify(counts))`
  t.deepEqual(JSON.parse((await run(program)).stdout), [true, 0, true, 0])
})
