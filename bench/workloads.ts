import {
  activation,
  adam,
  arrayDataset,
  batchNorm,
  conv2d,
  type Dataset,
  dense,
  fashionMnist,
  globalAvgPool2d,
  type Layer,
  lenet,
  maxPool2d,
  modernLeNet,
  type Optimizer,
  residual,
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

export type WorkloadName = 'lenet' | 'convnet' | 'convnetAdam' | 'modernLeNet' | 'resnet' | 'mobilenet'

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
  modernLeNet: {
    title: 'modernLeNet, 1x28x28: pairs of 3x3 convolutions 16-32-64, batch normalisation, ReLU, pools; made-up images',
    batchSize: 128,
    optimizer: () => sgd({ learningRate: 0.05, momentum: 0.9 }),
    network: modernLeNet,
    data: () => madeUp([1, 28, 28]),
  },
  resnet: {
    title: 'ResNet, 3x32x32: three groups of two residual blocks, 16-32-64, batch normalisation; made-up images',
    batchSize: 128,
    optimizer: () => sgd({ learningRate: 0.05, momentum: 0.9 }),
    network: resnet,
    data: () => madeUp([3, 32, 32]),
  },
  mobilenet: {
    title: 'MobileNet, 3x32x32: five depthwise-separable convolutions 64-256, batch normalisation; made-up images',
    batchSize: 128,
    optimizer: () => sgd({ learningRate: 0.05, momentum: 0.9 }),
    network: mobilenet,
    data: () => madeUp([3, 32, 32]),
  },
}

function convnet(): Sequential {
  const part = (channels: number) => [
    conv2d({ channels, kernelSize: 3, padding: 1, activation: 'relu' }),
    maxPool2d({ poolSize: 2 }),
  ]
  return new Sequential([
    ...part(32),
    ...part(64),
    ...part(128),
    dense({ units: 256, activation: 'relu' }),
    dense({ units: 10 }),
  ])
}

function resnet(): Sequential {
  const block = (channels: number, strides: number, shortcut: Layer[]) => [
    residual([...conv(channels, { strides }), relu, ...conv(channels)], { shortcut }),
    relu,
  ]
  const group = (channels: number, strides: number) => [
    ...block(channels, strides, strides === 1 ? [] : conv(channels, { kernelSize: 1, strides })),
    ...block(channels, 1, []),
  ]
  return new Sequential([...conv(16), relu, ...group(16, 1), ...group(32, 2), ...group(64, 2), ...head()])
}

function mobilenet(): Sequential {
  const separable = (from: number, to: number, strides: number) => [
    ...conv(from, { strides, groups: from }),
    relu,
    ...conv(to, { kernelSize: 1 }),
    relu,
  ]
  return new Sequential([
    ...conv(32),
    relu,
    ...separable(32, 64, 1),
    ...separable(64, 128, 2),
    ...separable(128, 128, 1),
    ...separable(128, 256, 2),
    ...separable(256, 256, 1),
    ...head(),
  ])
}

const relu = activation('relu')

/** A convolution that keeps the size but for its strides, and batch normalisation. */
function conv(channels: number, { kernelSize = 3, strides = 1, groups = 1 } = {}): Layer[] {
  const padding = (kernelSize - 1) / 2
  return [conv2d({ channels, kernelSize, strides, padding, groups, useBias: false }), batchNorm()]
}

function head(): Layer[] {
  return [globalAvgPool2d(), dense({ units: 10 })]
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
    for (const way of [layer.body ?? [], layer.shortcut ?? []]) counts.push(...forward(way, shape).counts)
    const [placed] = new Sequential([layer]).describe(shape)
    const [, channels = 0, height = 1, width = 1] = placed?.outputShape ?? []
    shape = [channels, height, width]
    if (layer.kind !== 'conv2d' && layer.kind !== 'dense') continue
    const weights = (placed?.parameterCount ?? 0) - (layer.useBias === false ? 0 : channels)
    counts.push(weights * height * width)
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
