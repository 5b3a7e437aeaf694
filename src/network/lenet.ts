import { conv2d, dense, maxPool2d } from './layers.js'
import { Sequential } from './sequential.js'

/** LeNet as d2l's text writes it: two convolutions with sigmoid and max pooling, three dense layers, for ten classes. */
export function lenet(): Sequential {
  return new Sequential([
    conv2d({ channels: 6, kernelSize: 5, activation: 'sigmoid' }),
    maxPool2d({ poolSize: 2, strides: 2 }),
    conv2d({ channels: 16, kernelSize: 5, activation: 'sigmoid' }),
    maxPool2d({ poolSize: 2, strides: 2 }),
    dense({ units: 120, activation: 'sigmoid' }),
    dense({ units: 84, activation: 'sigmoid' }),
    dense({ units: 10 }),
  ])
}
