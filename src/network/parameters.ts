import { setImmediate } from 'node:timers/promises'
import { callAddon, callAddonAsync, type Engine } from '../addon.js'
import { fill } from '../feed.js'
import { allocate } from '../memory.js'

export interface Parameter {
  /** (out, in, kernel height, kernel width), (out, in) or (out). */
  shape: number[]
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
      const data = allocate(`a copy of ${name}`, () => new Float32Array(length))
      parameters[name] = { shape, data: await fill(data, (start, into) => values.read(i, start, into)) }
    }
    return parameters
  } finally {
    values.free()
  }
}
