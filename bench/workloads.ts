import { arrayDataset, conv2d, type Dataset, dense, fashionMnist, lenet, maxPool2d, Sequential } from '#dist/index.js'

/** A network and what it is trained on; bench/peers/ has the same. */
export interface Workload {
  title: string
  batchSize: number
  learningRate: number
  network: () => Sequential
  data: () => Promise<{ train: Dataset; test: Dataset }>
}

export type WorkloadName = 'lenet' | 'convnet'

export const workloads: Record<WorkloadName, Workload> = {
  lenet: {
    title: 'LeNet, 1x28x28, Fashion-MNIST',
    batchSize: 256,
    learningRate: 0.9,
    network: lenet,
    data: fashionMnist,
  },
  convnet: {
    title: 'convnet, 3x32x32: 3x3 convolutions 32-64-128, ReLU, pools, dense 256-10; made-up images',
    batchSize: 128,
    learningRate: 0.01,
    network: convnet,
    data: async () => ({ train: await madeUp(5120), test: await madeUp(1280) }),
  },
}

function convnet(): Sequential {
  const conv = (channels: number) => conv2d({ channels, kernelSize: 3, padding: 1, activation: 'relu' })
  const pool = () => maxPool2d({ poolSize: 2 })
  const layers = [conv(32), pool(), conv(64), pool(), conv(128), pool()]
  return new Sequential([...layers, dense({ units: 256, activation: 'relu' }), dense({ units: 10 })])
}

/**
 * Multiply-adds of training on an image: forward, and both gradients but for that of the first layer's input. As in the
 * literature, those with padding count; LeNet has none.
 */
export function multiplyAdds({ network }: Workload, imageShape: readonly number[]): number {
  const forward = network()
    .describe(imageShape)
    .map(({ outputShape, parameterCount }) => {
      const [, channels = 0, ...pixels] = outputShape ?? []
      return Math.max(0, (parameterCount ?? 0) - channels) * pixels.reduce((product, size) => product * size, 1)
    })
  return forward.reduce((sum, count) => sum + 3 * count, -(forward[0] ?? 0))
}

function madeUp(count: number): Promise<Dataset> {
  const data = Uint8Array.from({ length: count * 3 * 32 * 32 }, (_, i) => (i * 7919) % 251)
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 10)
  return arrayDataset({ images: { data, shape: [count, 3, 32, 32] }, labels })
}
