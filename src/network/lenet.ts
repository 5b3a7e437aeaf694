import { type Checks, expectInteger, expectSettings } from '../expect.js'
import { conv2d, dense, maxPool2d } from './layers.js'
import { Sequential } from './sequential.js'

const classSettings: Checks<{ classes: number }> = { classes: (value = 10) => expectInteger('classes', value, 1) }

/** LeNet as d2l's text writes it: two convolutions with sigmoid and max pooling, three dense layers, for ten classes or others. */
export function lenet(options: { classes?: number } = {}): Sequential {
  const { classes } = expectSettings('lenet', options, classSettings)
  return new Sequential([
    conv2d({ channels: 6, kernelSize: 5, activation: 'sigmoid' }),
    maxPool2d({ poolSize: 2, strides: 2 }),
    conv2d({ channels: 16, kernelSize: 5, activation: 'sigmoid' }),
    maxPool2d({ poolSize: 2, strides: 2 }),
    dense({ units: 120, activation: 'sigmoid' }),
    dense({ units: 84, activation: 'sigmoid' }),
    dense({ units: classes }),
  ])
}
