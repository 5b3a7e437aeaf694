/**
 * candlewick: train small convolutional networks at native speed.
 * @module candlewick
 */

// `export *` takes all but a file's default export, which is for candlewick's own use: a kind is entered in its file alone.

export { type ArrayDatasetOptions, arrayDataset } from './data/array-dataset.js'
export type { Batch } from './data/batches.js'
export { type Cifar10Options, type Cifar100Options, cifar10, cifar100 } from './data/cifar.js'
export { Dataset, type Statistics } from './data/dataset.js'
export { type DatasetFromOptions, datasetFrom, type Example } from './data/dataset-from.js'
export { fashionMnist, fashionMnistLabels } from './data/fashion-mnist.js'
export { type IdxDatasetOptions, idxDataset, type TrainAndTest } from './data/idx-dataset.js'
export type { ByteImages, FloatImages, Held, Images } from './data/images.js'
export type { Labels } from './data/labels.js'
export type { MapOptions } from './data/mapped.js'
export { type NpyDatasetOptions, npyDataset } from './data/npy-dataset.js'
export type { SplitOptions } from './data/split.js'
export type { Targets } from './data/targets.js'
export { CandlewickError, type ErrorCode } from './errors.js'
export { formatDevice, formatEpoch, formatShape } from './format.js'
export * from './network/activations.js'
export type { Answer, Classifiable, ClassifyOptions } from './network/classify.js'
export type { DescribedLayer, LayerDescription } from './network/description.js'
export { type Device, type DeviceReport, devices, tryGpu } from './network/devices.js'
export type { EngineName } from './network/engines.js'
export type { FileSource } from './network/files.js'
export * from './network/initializers.js'
export type { TrainedBy } from './network/knowledge.js'
export * from './network/layers.js'
export { lenet } from './network/lenet.js'
export type { LoadedParameters, LoadOptions } from './network/loading.js'
export { type ModernLeNetRecipe, modernLeNet, modernLeNetRecipe } from './network/modern-lenet.js'
export type { Normalization } from './network/normalization.js'
export type { Parameter } from './network/parameters.js'
export type { Prediction } from './network/prediction.js'
export { type LoadNetworkOptions, Sequential } from './network/sequential.js'
export type { InitializeOptions } from './network/settings.js'
export type { SummaryOptions } from './network/summary.js'
export { type BrokenPicture, type ImageFolder, type ImageFolderOptions, imageFolder } from './pictures/image-folder.js'
export { type ParquetDatasetOptions, parquetDataset } from './pictures/parquet.js'
export type { Colour, Fit, Preparation, PreparationOptions } from './pictures/preparation.js'
export type { PictureSource } from './pictures/prepare.js'
export type { PicturesDone } from './pictures/work.js'
export { type AugmentImagesOptions, augmentImages } from './training/augment-images.js'
export * from './training/augmentations.js'
export * from './training/averaging.js'
export { csvLog } from './training/callbacks/csv-log.js'
export { type EarlyStopping, type EarlyStoppingOptions, earlyStopping } from './training/callbacks/early-stopping.js'
export type { Figure } from './training/callbacks/figures.js'
export { type History, history } from './training/callbacks/history.js'
export { jsonLines } from './training/callbacks/json-lines.js'
export type { LogOptions } from './training/callbacks/log-file.js'
export type { MonitorOptions } from './training/callbacks/monitor.js'
export { type ReduceOnPlateauOptions, reduceOnPlateau } from './training/callbacks/reduce-on-plateau.js'
export { saveBest } from './training/callbacks/save-best.js'
export { tensorBoard } from './training/callbacks/tensor-board.js'
export type { Callback, CallbackOptions, Run, StepFigures } from './training/callbacks.js'
export type { CheckpointEvery } from './training/checkpoint.js'
export { type EvaluateOptions, type Evaluation, evaluate, type ScoredEvaluation } from './training/evaluate.js'
export {
  type FindLearningRateOptions,
  findLearningRate,
  type LearningRateRange,
} from './training/find-learning-rate.js'
export { type Epoch, type EpochProgress, type FitOptions, fit, type ScoredEpoch } from './training/fit.js'
export {
  type Loss,
  type MeanSquaredError,
  meanSquaredError,
  type ScoredLoss,
  type SigmoidCrossEntropy,
  type SoftmaxCrossEntropy,
  type SoftmaxCrossEntropyOptions,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
  type TargetLoss,
} from './training/losses.js'
export type { ClassMetrics, Metrics, MetricsOf, MetricsOptions } from './training/metrics.js'
export type { Normalize } from './training/normalize.js'
export * from './training/optimizers.js'
export * from './training/schedules.js'
export { type StepOutcome, step } from './training/step.js'
export type { Validation } from './training/validation.js'
