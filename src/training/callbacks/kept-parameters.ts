/** A network's parameters as plain JSON: their values are base64 of float32, least byte first. */

import { Buffer } from 'node:buffer'
import { endianness } from 'node:os'
import { expectIntegers, expectSettings, expectString, reading, unexpected } from '../../expect.js'
import type { Parameter } from '../../network/parameters.js'

export function writeParameters(parameters: Record<string, Parameter>): unknown {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, { shape, data }]) => {
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      return [name, { shape, data: leastByteFirst(bytes).toString('base64') }]
    }),
  )
}

export function readParameters(value: unknown): Record<string, Parameter> {
  if (typeof value !== 'object' || value === null) throw unexpected('parameters', 'an object of parameters', value)
  const entries = reading('parameters', () => Object.entries(value))
  return Object.fromEntries(entries.map(([name, parameter]) => [name, readParameter(name, parameter)]))
}

function readParameter(name: string, value: unknown): Parameter {
  const { shape, data } = expectSettings<Parameter>(name, value, {
    shape: (value) => expectIntegers(`${name}.shape`, 'a shape', value, Object(value).length, 1),
    data: (value) => readValues(`${name}.data`, value),
  })
  const length = shape.reduce((product, size) => product * size, 1)
  if (data.length !== length) throw unexpected(`${name}.data`, `${length} values`, data)
  return { shape, data }
}

/** None where they are no whole numbers of four bytes. */
function readValues(name: string, value: unknown): Float32Array {
  const bytes = Buffer.from(expectString(name, value), 'base64')
  return bytes.length % 4 === 0 ? new Float32Array(Uint8Array.from(leastByteFirst(bytes)).buffer) : new Float32Array(0)
}

function leastByteFirst(bytes: Buffer): Buffer {
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32()
}
