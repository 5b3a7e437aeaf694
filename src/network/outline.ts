import { describe, namesOf } from './description.js'
import type { Layer } from './layers.js'
import { flatten } from './layers.js'
import { multiplyAdds } from './multiply-adds.js'

/** A layer in its place, with all that it is. */
export interface OutlinedLayer {
  /** `conv0`; in a residual block, `body.conv0` or `shortcut.conv0`. */
  name: string
  kind: string
  /** How many residual blocks it is in. */
  level: number
  /** For one image: (1, channels, height, width) or (1, units). */
  outputShape: number[]
  /** Numbers that training moves. */
  parameterCount: number
  nonTrainableCount: number
  /** For one image. */
  multiplyAdds: number
}

/**
 * Layers and, after each residual block, what it holds, for images of (channels, height, width). A block's counts are those of its
 * layers together.
 */
export function outline(layers: readonly Layer[], inputShape: readonly number[], level = 0): OutlinedLayer[] {
  let input = inputShape
  return descriptions(layers, inputShape).flatMap((description, i) => {
    const layer = layers[i] as Layer
    const output = description.outputShape.slice(1)
    const inner = (['body', 'shortcut'] as const).flatMap((way) => {
      return outline(layer[way] ?? [], input, level + 1).map((one) => {
        return one.level === level + 1 ? { ...one, name: `${way}.${one.name}` } : one
      })
    })
    const direct = inner.filter((one) => one.level === level + 1)
    const ofInner = direct.reduce((sum, one) => sum + one.multiplyAdds, 0)
    const outlined = {
      ...description,
      kind: layer.kind,
      level,
      multiplyAdds: multiplyAdds(layer, input, output) + ofInner,
    }
    input = output
    return [outlined, ...inner]
  })
}

/** What Rust says of layers, whose input may be flat already. */
function descriptions(layers: readonly Layer[], input: readonly number[]) {
  if (layers.length === 0) return []
  const isFlat = input.length === 1
  const described = isFlat ? describe([flatten(), ...layers], [...input, 1, 1]).slice(1) : describe(layers, [...input])
  const names = namesOf(layers)
  return described.map(({ outputShape, parameterCount, nonTrainableCount }, i) => ({
    name: names[i]?.name ?? '',
    outputShape: outputShape ?? [],
    parameterCount: parameterCount ?? 0,
    nonTrainableCount: nonTrainableCount ?? 0,
  }))
}
