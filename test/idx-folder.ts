import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'

/** A new folder that goes away with the test. */
export async function temporaryFolder(t: ExecutionContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'candlewick-test-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** An IDX file: magic number, sizes, values. */
export function idx(sizes: number[], values: Uint8Array, magic = 0x0800 + sizes.length): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length)
  header.writeUInt32BE(magic)
  sizes.forEach((size, i) => {
    header.writeUInt32BE(size, 4 + 4 * i)
  })
  return Buffer.concat([header, values])
}

/** Bytes that differ from one another. */
export function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * i) % 251)
}

/** A complete data set of 2x3 images, 20 to train and 10 to test; `changes` replaces files, null leaves one out. */
export async function idxFolder(t: ExecutionContext, changes: Record<string, Buffer | null> = {}): Promise<string> {
  const dir = await temporaryFolder(t)
  const labels = (count: number) => Uint8Array.from({ length: count }, (_, i) => i % 3)
  const files: Record<string, Buffer | null> = {
    'train-images-idx3-ubyte.gz': gzipSync(idx([20, 2, 3], bytes(120))),
    'train-labels-idx1-ubyte.gz': gzipSync(idx([20], labels(20))),
    't10k-images-idx3-ubyte': idx([10, 2, 3], bytes(60)),
    't10k-labels-idx1-ubyte': idx([10], labels(10)),
    ...changes,
  }
  for (const [name, content] of Object.entries(files)) {
    if (content) await writeFile(join(dir, name), content)
  }
  return dir
}
