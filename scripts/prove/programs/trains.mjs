import { createRequire } from 'node:module'
import { arrayDataset, CandlewickError, dense, fit, Sequential, sgd } from 'candlewick'

const net = new Sequential([dense({ units: 2 })])
const images = { data: Uint8Array.from({ length: 6400 }, (_, i) => (i * i) % 251), shape: [100, 1, 8, 8] }
const data = await arrayDataset({ images, labels: Uint8Array.from({ length: 100 }, (_, i) => i % 2) })
await net.initialize({ device: 'cpu', seed: 1 })
const losses = []
for await (const { loss } of fit(net, data, { epochs: 2, batchSize: 10, optimizer: sgd({ learningRate: 0.01 }) })) {
  losses.push(loss)
}
const error = await net.loadParameters('/nowhere').catch((error) => error)
const isOne = createRequire(import.meta.url)('candlewick').Sequential === Sequential
console.log(
  JSON.stringify([losses.every((loss) => loss > 0 && loss < 2), error instanceof CandlewickError, error.code, isOne]),
)
