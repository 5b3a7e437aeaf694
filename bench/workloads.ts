import {
  adam,
  arrayDataset,
  conv2d,
  type Dataset,
  dense,
  fashionMnist,
  type Layer,
  lenet,
  maxPool2d,
  type Optimizer,
  Sequential,
  sgd,
} from '#dist/index.js'

/** A network and what it is trained on; bench/peers/ has the same. */
export interface Workload {
  title: string
  batchSize: number
  optimizer: () => Optimizer
  network: () => Sequential
  data: () => Promise<{ train: Dataset; test: Dataset }>
}

export type WorkloadName = 'lenet' | 'convnet' | 'convnetAdam'

const convnetTitle = 'convnet, 3x32x32: 3x3 convolutions 32-64-128, ReLU, pools, dense 256-10; made-up images'

export const workloads: Record<WorkloadName, Workload> = {
  lenet: {
    title: 'LeNet, 1x28x28, Fashion-MNIST',
    batchSize: 256,
    optimizer: () => sgd({ learningRate: 0.9 }),
    network: lenet,
    data: fashionMnist,
  },
  convnet: {
    title: convnetTitle,
    batchSize: 128,
    optimizer: () => sgd({ learningRate: 0.01 }),
    network: convnet,
    data: () => madeUp([3, 32, 32]),
  },
  convnetAdam: {
    title: `${convnetTitle}; Adam`,
    batchSize: 128,
    optimizer: () => adam(),
    network: convnet,
    data: () => madeUp([3, 32, 32]),
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
 * literature, those with padding count, and only those of convolutions and dense layers.
 */
export function multiplyAdds({ network }: Workload, imageShape: readonly number[]): number {
  const { counts } = forward(network().toJSON(), imageShape)
  return counts.reduce((sum, count) => sum + 3 * count, -(counts[0] ?? 0))
}

/** The multiply-adds of each convolution and dense layer for an image of this shape, and the shape that comes out. */
function forward(layers: readonly Layer[], imageShape: readonly number[]) {
  const counts: number[] = []
  let shape = imageShape
  for (const layer of layers) {
    const [placed] = new Sequential([layer]).describe(shape)
    const [, channels = 0, height = 1, width = 1] = placed?.outputShape ?? []
    shape = [channels, height, width]
    if (layer.kind !== 'conv2d' && layer.kind !== 'dense') continue
    counts.push(((placed?.parameterCount ?? 0) - channels) * height * width)
  }
  return { counts, shape }
}

/** 5,120 images to train on and 1,280 to test on, whatever they show. */
async function madeUp(shape: readonly [number, number, number]): Promise<{ train: Dataset; test: Dataset }> {
  return { train: await madeUpImages(5120, shape), test: await madeUpImages(1280, shape) }
}

function madeUpImages(count: number, shape: readonly [number, number, number]): Promise<Dataset> {
  const [channels, height, width] = shape
  const data = Uint8Array.from({ length: count * channels * height * width }, (_, i) => (i * 7919) % 251)
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 10)
  return arrayDataset({ images: { data, shape: [count, ...shape] }, labels })
}
