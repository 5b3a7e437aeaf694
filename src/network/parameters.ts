import { setImmediate } from 'node:timers/promises'
import { types } from 'node:util'
import { callAddon, callAddonAsync, type Engine, ImageFeed, parameterList } from '../addon.js'
import { messageOf } from '../errors.js'
import { readOnce, refuseUnknownKeys, show, unexpected } from '../expect.js'
import { fill, handOverPieces } from '../feed.js'
import { formatShape } from '../format.js'
import { allocate } from '../memory.js'
import type { Layer } from './layers.js'

/** A parameter's values. */
export interface Parameter {
  /** (out, in, kernel height, kernel width), (out, in) or (out). */
  shape: number[]
  /** The values in the order of the shape, the last size running fastest. */
  data: Float32Array
}

const tensorsAtOnce = 100 // that are copied without letting the event loop run

/** Copies of all parameters by name, in the order of the layers. */
export async function copyParameters(engine: Engine): Promise<Record<string, Parameter>> {
  const values = await callAddonAsync(() => engine.parameters())
  try {
    const parameters: Record<string, Parameter> = {}
    const list: { name: string; shape: number[] }[] = JSON.parse(callAddon(() => values.list))
    for (const [i, { name, shape }] of list.entries()) {
      if (i > 0 && i % tensorsAtOnce === 0) await setImmediate()
      const length = shape.reduce((product, size) => product * size, 1)
      const data = allocate(`a copy of ${name}`, Float32Array, length)
      parameters[name] = { shape, data: await fill(data, (start, into) => values.read(i, start, into)) }
    }
    return parameters
  } finally {
    values.free()
  }
}

/** Parameters of the network's own names and shapes, in its order, whose values are not copied yet. */
export function checkParameters(
  parameters: unknown,
  layers: readonly Layer[],
  inputShape: readonly number[],
): Float32Array[] {
  const json = callAddon(() => parameterList(JSON.stringify(layers), [...inputShape]))
  const list: { name: string; shape: number[] }[] = JSON.parse(json)
  refuseUnknownKeys('parameters', parameters, Object.fromEntries(list.map(({ name }) => [name, true])))
  return list.map(({ name, shape }) => {
    const one = readOnce<Record<string, Parameter>>('parameters', parameters, { [name]: true })[name]
    const given = readOnce<Parameter>(`parameters[${show(name)}]`, one, { shape: true, data: true })
    const expected = `a parameter of shape ${formatShape(shape)}, as net.parameters() gives it,`
    const isOfShape = Array.isArray(given.shape) && formatShape(given.shape.map(Number)) === formatShape(shape)
    if (!isOfShape) throw unexpected(`parameters[${show(name)}]`, expected, one)
    const { data } = given
    const length = shape.reduce((product, size) => product * size, 1)
    if (types.isFloat32Array(data) && data.length === length) return data
    throw unexpected(`parameters[${show(name)}].data`, `a Float32Array of length ${length}`, data)
  })
}

/** Replaces all parameters by these, in the network's order; their place in line is that of the call. */
export async function setParameters(engine: Engine, parameters: readonly Float32Array[]): Promise<void> {
  const length = parameters.reduce((sum, { length }) => sum + length, 0)
  const feed = callAddon(() => new ImageFeed(false, [length]))
  try {
    const work = callAddonAsync(() => engine.setParameters(feed))
    const handed = handOverPieces(parameters, (piece) => feed.pushFloats(piece)).catch((error) => {
      feed.fail(messageOf(error)) // the work is told, and fails with it
    })
    await Promise.all([work, handed])
  } finally {
    feed.free()
  }
}
