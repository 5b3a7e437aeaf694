import type { Layer } from './layers.js'

/**
 * Multiplications, each with an addition, that a layer needs for the answer to one image: those of convolutions and dense layers, beside
 * which all else is little. Padding is multiplied too. What a residual block holds is not counted here.
 * @param input (channels, height, width) or (values)
 * @param output likewise
 */
export function multiplyAdds(layer: Layer, input: readonly number[], output: readonly number[]): number {
  if (layer.kind === 'dense') return product(input) * product(output)
  if (layer.kind !== 'conv2d') return 0
  const [channels = 0] = input
  const { groups = 1, kernelSize = [0, 0] } = layer
  return product(output) * (channels / groups) * product(kernelSize)
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((product, size) => product * size, 1)
}
