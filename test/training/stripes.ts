import { arrayDataset, type Dataset, dense, type Epoch, type FitOptions, fit, Sequential, sgd } from 'candlewick'

/** Images of upright and of lying stripes, with noise. */
export function stripes(count: number): Promise<Dataset> {
  const size = 6
  const data = Uint8Array.from({ length: count * size * size }, (_, i) => {
    const image = Math.floor(i / (size * size))
    const along = image % 2 === 0 ? i % size : Math.floor(i / size) % size
    return (along % 2 === 0 ? 150 : 50) + ((i * 7919) % 60)
  })
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 2)
  return arrayDataset({ images: { data, shape: [count, 1, size, size] }, labels })
}

/** One dense layer. */
export async function linear(seed = 1): Promise<Sequential> {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 6, 6], device: 'cpu', seed })
  return net
}

/** Trains on a hundred images, with a learning rate of 0.1 and ten images a step. */
export async function train(net: Sequential, options: Partial<FitOptions> = {}): Promise<Epoch[]> {
  const all: Epoch[] = []
  const settings = { epochs: 3, batchSize: 10, optimizer: sgd({ learningRate: 0.1 }), ...options }
  for await (const epoch of fit(net, await stripes(100), settings)) all.push(epoch)
  return all
}

/** An epoch of these figures. */
export function epochOf(epoch: number, figures: Partial<Epoch> = {}): Epoch {
  return { epoch, loss: 1, learningRate: 0.1, trainSeconds: 0.5, ...figures }
}
