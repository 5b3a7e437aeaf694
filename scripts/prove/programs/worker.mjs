import { arrayDataset, dense, fit, Sequential, sgd } from 'candlewick'

export default async function train(seed) {
  const net = new Sequential([dense({ units: 2 })])
  const images = { data: Uint8Array.from({ length: 6400 }, (_, i) => (i * i) % 251), shape: [100, 1, 8, 8] }
  const data = await arrayDataset({ images, labels: Uint8Array.from({ length: 100 }, (_, i) => i % 2) })
  await net.initialize({ device: 'cpu', seed, threads: 1 })
  let last
  const options = { epochs: 2, batchSize: 10, optimizer: sgd({ learningRate: 0.01 }), seed }
  for await (const { loss } of fit(net, data, options)) last = loss
  return last
}
