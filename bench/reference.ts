/**
 * The reference engine, which is stock candle, as one of the peers (bench/peers.ts): a process of its own that trains a workload
 * and prints what peers print, a line an epoch.
 *
 *   node build/bench/reference.js --net lenet --batch 256 --threads 2 --epochs 2
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fit } from '#dist/index.js'
import { root } from './cargo.js'
import { type WorkloadName, workloads } from './workloads.js'

const { values } = parseArgs({
  options: {
    net: { type: 'string', default: 'lenet' },
    batch: { type: 'string', default: '256' },
    threads: { type: 'string', default: '1' },
    epochs: { type: 'string', default: '1' },
  },
})
const { network, data, optimizer } = workloads[values.net as WorkloadName]
const [, version] = /name = "candle-core"\nversion = "(.+)"/.exec(readFileSync(join(root, 'Cargo.lock'), 'utf8')) ?? []
const { train, test } = await data()
const net = network()
const threads = Number(values.threads)
await net.initialize({ inputShape: train.imageShape, seed: 1, device: 'cpu', engine: 'candle', threads })
const options = {
  epochs: Number(values.epochs),
  batchSize: Number(values.batch),
  optimizer: optimizer(),
  test,
}
for await (const { trainSeconds, evalSeconds } of fit(net, train, options)) {
  console.log(JSON.stringify({ version, train_seconds: trainSeconds, eval_seconds: evalSeconds }))
}
