/**
 * The CUDA engine on a GPU: what it measures, and that its figures are those of the CPU. Runs where there is neither Rust nor a
 * network; bench/gpu/pack.sh makes what it needs of this repository.
 *
 *   node build/bench/gpu.js [--epochs N] [--images N] [--device cuda:0]
 */

import { parseArgs } from 'node:util'
import { adam, type Dataset, type Device, devices, fit, type Optimizer, tryGpu } from '#dist/index.js'
import { median, printTable, seconds } from './table.js'
import { timeTraining } from './training.js'
import { type Workload, workloads } from './workloads.js'

const { values } = parseArgs({
  options: { epochs: { type: 'string' }, images: { type: 'string' }, device: { type: 'string' } },
})
const epochs = Number(values.epochs ?? 10)
const device = (values.device ?? tryGpu()) as Device
for (const { name, description } of devices()) console.log(`${name}: ${description}`)
if (device === 'cpu') throw new Error('There is no GPU; the line above says why.')

/** The workload on its first so many images. */
function limited(workload: Workload): Workload {
  if (values.images === undefined) return workload
  const first = (dataset: Dataset) => dataset.slice(0, Math.min(dataset.length, Number(values.images)))
  const data = async () => {
    const { train, test } = await workload.data()
    return { train: first(train), test: first(test) }
  }
  return { ...workload, data }
}

for (const workload of Object.values(workloads).map(limited)) {
  const rows: string[][] = []
  const { train } = await workload.data()
  for (const batchSize of [32, workload.batchSize, 1024]) {
    const { training, evaluation } = await timeTraining(workload, { batchSize, threads: 1, epochs, device })
    const rate = Math.round(train.length / training).toLocaleString('en')
    rows.push([`${batchSize}`, seconds(training), rate, seconds(evaluation)])
  }
  const title = `${workload.title}; ${train.length} images on ${device}, medians of ${epochs} epochs`
  printTable(title, ['batch', 'an epoch', 'images/s', 'evaluation'], rows)
}

await compare(limited(workloads.lenet), 'SGD', workloads.lenet.optimizer)
await compare(limited(workloads.lenet), 'Adam', () => adam())
await latency(limited(workloads.lenet))

/** The losses of five epochs on the GPU and on the CPU, and the greatest difference of their logits before and after. */
async function compare(workload: Workload, name: string, optimizer: () => Optimizer): Promise<void> {
  const { train, test } = await workload.data()
  const images = test.images(0, Math.min(256, test.length))
  const run = async (device: Device) => {
    const net = workload.network()
    await net.initialize({ inputShape: train.imageShape, seed: 1, device })
    const before = (await net.predict(images)).logits
    const options = { epochs: 5, batchSize: 256, optimizer: optimizer(), seed: 1, test }
    const losses: number[] = []
    for await (const { loss } of fit(net, train, options)) losses.push(loss)
    return { losses, before, after: (await net.predict(images)).logits }
  }
  const [gpu, again, cpu] = [await run(device), await run(device), await run('cpu')]
  const difference = (a: Float32Array, b: Float32Array) =>
    Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))))
  printTable(
    `LeNet by ${name}, on ${device} and on the CPU`,
    ['', device, 'cpu'],
    gpu.losses.map((loss, i) => [`loss of epoch ${i + 1}`, loss.toFixed(6), cpu.losses[i]?.toFixed(6) ?? '']),
  )
  console.log(
    `logits differ by ${difference(gpu.before, cpu.before)} before training, ${difference(gpu.after, cpu.after)} after`,
  )
  console.log(`the same run again: ${difference(gpu.after, again.after) === 0 ? 'the same bits' : 'OTHER BITS'}`)
}

async function latency(workload: Workload): Promise<void> {
  const { test } = await workload.data()
  const net = workload.network()
  await net.initialize({ inputShape: test.imageShape, seed: 1, device })
  const rows: string[][] = []
  for (const count of [1, 256, 1000].filter((count) => count <= test.length)) {
    const images = test.images(0, count)
    const times: number[] = []
    for (let i = 0; i < 200; i++) {
      const start = performance.now()
      await net.predict(images)
      times.push((performance.now() - start) / 1000)
    }
    rows.push([`${count}`, seconds(median(times))])
  }
  printTable(`net.predict on ${device}, medians of 200 calls`, ['images', 'time'], rows)
}
