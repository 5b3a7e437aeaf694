import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Parameter, Sequential } from 'candlewick'

/** Gives networks `setParameters`, by way of a file, where they do not have it. */
export function withSetParameters(): void {
  if ('setParameters' in Sequential.prototype) return
  Object.assign(Sequential.prototype, {
    async setParameters(this: Sequential, parameters: Record<string, Parameter>) {
      let start = 0
      const entries = Object.entries(parameters).map(([name, { shape, data }]) => {
        const data_offsets = [start, start + data.byteLength]
        start += data.byteLength
        return [name, { dtype: 'F32', shape, data_offsets }]
      })
      const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
      const length = Buffer.alloc(8)
      length.writeBigUInt64LE(BigInt(header.length))
      const values = Object.values(parameters).map(({ data }) =>
        Buffer.from(data.buffer, data.byteOffset, data.byteLength),
      )
      const folder = await mkdtemp(join(tmpdir(), 'candlewick-test-'))
      const path = join(folder, 'set.safetensors')
      await writeFile(path, Buffer.concat([length, header, ...values]))
      await this.loadParameters(path)
      await rm(folder, { recursive: true })
    },
  })
}
