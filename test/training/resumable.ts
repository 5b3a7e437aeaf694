/**
 * A training in a process of its own, which goes on from its checkpoint where there is one:
 * `node resumable.js CHECKPOINT` prints a line an epoch and, in the end, what it came to. With all that a checkpoint must hold:
 * statistics, masks, moments, an average, a schedule, an order and augmentation.
 */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import process from 'node:process'
import {
  adam,
  arrayDataset,
  batchNorm,
  type CheckpointEvery,
  conv2d,
  dense,
  dropout,
  ema,
  type FitOptions,
  fit,
  linearWarmup,
  mixup,
  oneCycle,
  randomFlip,
  randomShift,
  Sequential,
} from 'candlewick'

const [images, side] = [1100, 12]

/** Squares at one of four places, and noise. */
export function squares() {
  const data = Uint8Array.from({ length: images * side * side }, (_, i) => {
    const [image, row, column] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side]
    const [top, left] = [((image % 4) >> 1) * 6, (image % 2) * 6]
    const isInside = row >= top && row < top + 6 && column >= left && column < left + 6
    return ((i * 2654435761) % 127) + (isInside ? 100 : 0)
  })
  const labels = Uint8Array.from({ length: images }, (_, i) => i % 4)
  return arrayDataset({ images: { data, shape: [images, 1, side, side] }, labels })
}

export function network(): Sequential {
  return new Sequential([
    conv2d({ channels: 8, kernelSize: 3 }),
    batchNorm(),
    dropout({ rate: 0.2 }),
    dense({ units: 16, activation: 'relu' }),
    dense({ units: 4 }),
  ])
}

export async function options(checkpoint: string | undefined, every: CheckpointEvery): Promise<FitOptions> {
  const data = await squares()
  const schedule = linearWarmup({ steps: 5, learningRate: oneCycle({ maxLearningRate: 0.01 }) })
  return {
    epochs: 6,
    batchSize: 32,
    optimizer: adam({ learningRate: schedule, clipNorm: 1, averaging: ema(0.99) }),
    augment: [randomFlip(), randomShift(1), mixup(0.4)],
    test: data.slice(0, 300),
    ...(checkpoint !== undefined && { checkpoint, checkpointEvery: every }),
  }
}

/** All that a training came to: what each epoch said but for its time, and the parameters. */
export async function outcome(net: Sequential, settings: FitOptions): Promise<string[]> {
  const lines: string[] = []
  const data = await squares()
  for await (const epoch of fit(net, data.slice(300), settings)) {
    const { trainSeconds, evalSeconds, ...figures } = epoch
    lines.push(JSON.stringify(figures))
  }
  const hash = createHash('sha256')
  for (const { data } of Object.values(await net.parameters())) hash.update(data)
  return [...lines, hash.digest('hex')]
}

if (process.argv[1]?.endsWith('resumable.js')) {
  const [, , checkpoint = '', steps = '2'] = process.argv
  const net = network()
  await net.initialize({ inputShape: [1, side, side], device: 'cpu', seed: 3, threads: 2 })
  const settings = await options(checkpoint, { steps: Number(steps) })
  const resume = existsSync(checkpoint) ? { resume: checkpoint } : {}
  console.log((await outcome(net, { ...settings, ...resume })).join('\n'))
}
