/** candlewick: train small convolutional networks at native speed. */

export type { DeviceReport } from '../index.js'
export { arrayDataset, Dataset } from './data/dataset.js'
export { fashionMnist, fashionMnistLabels } from './data/fashion-mnist.js'
export { idxDataset, type TrainAndTest } from './data/idx-dataset.js'
export { type Device, devices, tryGpu } from './devices.js'
export { CandlewickError, type ErrorCode } from './errors.js'
export type { ByteImages, Images } from './images.js'
export { type Initializer, normal, uniform, xavier, zeros } from './initializers.js'
export {
  type Activation,
  avgPool2d,
  type Conv2dOptions,
  conv2d,
  type DenseOptions,
  dense,
  type Layer,
  maxPool2d,
  type Pool2dOptions,
  type Size,
} from './layers.js'
export { lenet } from './lenet.js'
export { formatDevice, formatEpoch, formatShape } from './log.js'
export {
  type InitializeOptions,
  type LayerDescription,
  type Parameter,
  Sequential,
} from './network.js'
export { type Optimizer, type SgdOptions, sgd } from './optimizers.js'
export type { Prediction } from './prediction.js'
export { type Epoch, type EpochProgress, type Evaluation, evaluate, type FitOptions, fit, step } from './training.js'
