/** candlewick: train small convolutional networks at native speed. */

export { arrayDataset, Dataset } from './data/dataset.js'
export { fashionMnist, fashionMnistLabels } from './data/fashion-mnist.js'
export { idxDataset, type TrainAndTest } from './data/idx-dataset.js'
export type { ByteImages, Images } from './data/images.js'
export { CandlewickError, type ErrorCode } from './errors.js'
export { formatDevice, formatEpoch, formatShape } from './format.js'
export type { LayerDescription } from './network/description.js'
export { type Device, type DeviceReport, devices, tryGpu } from './network/devices.js'
export { type Initializer, normal, uniform, xavier, zeros } from './network/initializers.js'
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
} from './network/layers.js'
export { lenet } from './network/lenet.js'
export type { Parameter } from './network/parameters.js'
export type { Prediction } from './network/prediction.js'
export { Sequential } from './network/sequential.js'
export type { InitializeOptions } from './network/settings.js'
export { type Evaluation, evaluate } from './training/evaluate.js'
export { type Epoch, type EpochProgress, type FitOptions, fit } from './training/fit.js'
export { type Optimizer, type SgdOptions, sgd } from './training/optimizers.js'
export { step } from './training/step.js'
