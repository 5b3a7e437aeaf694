import { Bench } from 'tinybench'
import type { Peak } from './peak.js'
import { printTable, seconds } from './table.js'
import { workloads } from './workloads.js'

const counts = [1, 16, 256, 1000]

/** How long a caller waits for `net.predict`, from call to answer, by number of images. */
export async function benchPrediction(peak: Peak): Promise<void> {
  const { lenet } = workloads
  const { test } = await lenet.data()
  const net = lenet.network()
  await net.initialize({ inputShape: test.imageShape, seed: 1 })
  const bench = new Bench({ time: 2000, warmupTime: 300 })
  for (const count of counts) {
    const images = test.images(0, count)
    bench.add(`${count}`, async () => {
      await net.predict(images)
    })
  }
  await bench.run()
  const rows = bench.tasks.map((task) => {
    const { result } = task
    if (!('latency' in result)) throw new Error(`The prediction of ${task.name} images could not be measured.`)
    const { p50, p99 } = result.latency
    const throughput = Math.round((1000 * Number(task.name)) / p50).toLocaleString('en')
    return [task.name, seconds(p50 / 1000), seconds(p99 / 1000), throughput]
  })
  const threads = peak.multiplyAddsPerSecond.length
  const title = `${lenet.title}; net.predict on ${threads} threads, by images of a call`
  printTable(title, ['images', 'p50', 'p99', 'images/s'], rows)
}
