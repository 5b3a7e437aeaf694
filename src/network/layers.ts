/** What layers there are: a function for each, in a file of the folder beside this one. */

export { activation } from './layers/activation.js'
export { type BatchNormOptions, batchNorm } from './layers/batch-norm.js'
export { type Conv2dOptions, conv2d } from './layers/conv2d.js'
export { type DenseOptions, dense } from './layers/dense.js'
export { type DropoutOptions, dropout } from './layers/dropout.js'
export type { Layer, NoOptions, Size } from './layers/layer.js'
export { avgPool2d, type MaxPool2dOptions, maxPool2d, type Pool2dOptions } from './layers/pools.js'
export { type ResidualOptions, residual } from './layers/residual.js'
export { flatten, globalAvgPool2d } from './layers/shapes.js'
