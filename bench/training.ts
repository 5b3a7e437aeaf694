import { type Device, fit } from '#dist/index.js'
import { type Peak, shareOfPeak } from './peak.js'
import { median, percent, printTable, seconds } from './table.js'
import { multiplyAdds, type Workload, workloads } from './workloads.js'

export interface Timing {
  /** Seconds of an epoch; the median. */
  training: number
  /** Seconds of an evaluation of the test images; the median. */
  evaluation: number
}

export interface TimingOptions {
  batchSize: number
  threads: number
  /** Timed epochs, after one that is not. */
  epochs: number
  /** The CPU by default. */
  device?: Device
}

/** Trains afresh and takes the time of each epoch. */
export async function timeTraining(workload: Workload, options: TimingOptions): Promise<Timing> {
  const { train, test } = await workload.data()
  const net = workload.network()
  const { batchSize, threads, device = 'cpu' } = options
  await net.initialize({ inputShape: train.imageShape, seed: 1, threads, device })
  const optimizer = workload.optimizer()
  const training: number[] = []
  const evaluation: number[] = []
  for await (const epoch of fit(net, train, { epochs: options.epochs + 1, batchSize, optimizer, test })) {
    training.push(epoch.trainSeconds)
    evaluation.push(epoch.evalSeconds ?? Number.NaN)
  }
  return { training: median(training.slice(1)), evaluation: median(evaluation.slice(1)) }
}

/** All networks at their batch sizes on all threads. */
export async function benchTraining(peak: Peak): Promise<void> {
  const threads = peak.multiplyAddsPerSecond.length
  for (const workload of Object.values(workloads)) {
    const { train, test } = await workload.data()
    const { batchSize, title } = workload
    const { training, evaluation } = await timeTraining(workload, { batchSize, threads, epochs: 5 })
    const work = multiplyAdds(workload, train.imageShape) * train.length
    const share = shareOfPeak(peak, work, training, threads)
    printTable(
      `${title}; batch ${batchSize}, ${threads} threads, median of five epochs`,
      ['', 'images', 'time', 'images/s', 'of the peak'],
      [
        ['training, an epoch', `${train.length}`, seconds(training), rate(train.length, training), percent(share)],
        ['evaluation', `${test.length}`, seconds(evaluation), rate(test.length, evaluation), ''],
      ],
    )
  }
}

/** LeNet on one thread, on two, and so on. */
export async function benchThreads(peak: Peak): Promise<void> {
  const { lenet } = workloads
  const { train } = await lenet.data()
  const work = multiplyAdds(lenet, train.imageShape) * train.length
  const rows: string[][] = []
  let single = Number.NaN
  for (const threads of peak.multiplyAddsPerSecond.map((_, i) => i + 1)) {
    const { training, evaluation } = await timeTraining(lenet, { batchSize: 256, threads, epochs: 5 })
    if (threads === 1) single = training
    const share = shareOfPeak(peak, work, training, threads)
    rows.push([`${threads}`, seconds(training), (single / training).toFixed(2), percent(share), seconds(evaluation)])
  }
  const head = ['threads', 'an epoch', 'speed-up', 'of the peak', 'evaluation']
  printTable(`${lenet.title}; batch 256, by threads`, head, rows)
}

/** LeNet on all threads, with batches from a single tile up. */
export async function benchBatchSizes(peak: Peak): Promise<void> {
  const { lenet } = workloads
  const { train } = await lenet.data()
  const work = multiplyAdds(lenet, train.imageShape) * train.length
  const threads = peak.multiplyAddsPerSecond.length
  const rows: string[][] = []
  for (const batchSize of [16, 32, 64, 128, 256, 1024]) {
    const { training } = await timeTraining(lenet, { batchSize, threads, epochs: 3 })
    const share = shareOfPeak(peak, work, training, threads)
    rows.push([`${batchSize}`, seconds(training), seconds((training * batchSize) / train.length), percent(share)])
  }
  printTable(`${lenet.title}; ${threads} threads, by batch size`, ['batch', 'an epoch', 'a step', 'of the peak'], rows)
}

function rate(images: number, time: number): string {
  return Math.round(images / time).toLocaleString('en')
}
