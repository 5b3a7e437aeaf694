/**
 * A few steps of training that are the same to the bit on every target: prints on what they ran, and a checksum of the parameters.
 *
 *   node scripts/release/steps.js        (import.meta.resolve finds candlewick where this file lies)
 */

import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import { adam, arrayDataset, dense, fit, gelu, lenet, modernLeNet, modernLeNetRecipe, Sequential } from 'candlewick'

const count = 96
const pixels = Uint8Array.from({ length: count * 784 }, (_, i) => (i * i + (i >> 4)) % 251)
const labels = Uint8Array.from({ length: count }, (_, i) => (i * i + (i >> 3)) % 10)
const data = await arrayDataset({ images: { data: pixels, shape: [count, 1, 28, 28] }, labels })

const sum = createHash('sha256')
for (const [net, options] of [
  [lenet(), { optimizer: adam({ learningRate: 0.01 }) }],
  [modernLeNet(), modernLeNetRecipe()],
  [new Sequential([dense({ units: 32, activation: gelu() }), dense({ units: 10 })]), { optimizer: adam() }],
]) {
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  for await (const { loss } of fit(net, data, { ...options, epochs: 1, batchSize: 32 })) sum.update(String(loss))
  for (const [name, { data: values }] of Object.entries(await net.parameters())) {
    sum.update(name).update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }
  const { logits } = await net.predict(data.images(0, 16))
  sum.update(new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength))
}

const addon = process.report.getReport().sharedObjects.find((path) => path.endsWith('.node'))
console.error(`${process.version} on ${process.platform}-${process.arch}, ${addon ? basename(addon) : 'an addon'}`)
console.log(sum.digest('hex'))
