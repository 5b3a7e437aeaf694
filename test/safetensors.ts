import { readFile } from 'node:fs/promises'

/** The float tensors of a safetensors file by name: a length in 8 bytes, JSON of that length, then all values. */
export async function readSafetensors(path: string): Promise<Map<string, Float32Array | Float64Array>> {
  const file = await readFile(path)
  const start = 8 + Number(file.readBigUInt64LE())
  const { __metadata__, ...header } = JSON.parse(file.toString('utf8', 8, start)) as Record<string, Entry>
  const entries = Object.entries(header).map(
    ([
      name,
      {
        dtype,
        data_offsets: [from, to],
      },
    ]) => {
      const values = Uint8Array.from(file.subarray(start + from, start + to)).buffer
      return [name, dtype === 'F64' ? new Float64Array(values) : new Float32Array(values)] as const
    },
  )
  return new Map(entries)
}

interface Entry {
  dtype: string
  data_offsets: [number, number]
}
