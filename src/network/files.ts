/** Files of networks, wherever they are: at a path, at a `file:` URL, or in memory. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { types } from 'node:util'
import { expectPath, unexpected } from '../expect.js'

/** A file: its path, that as a URL, or what is in it. */
export type FileSource = string | URL | Uint8Array

/** By what it calls itself: URLs of another realm, such as jsdom's, are none by their class. */
export function isUrl(given: unknown): given is URL {
  return Object.prototype.toString.call(given) === '[object URL]'
}

/** The path of a file. */
export function pathOf(name: string, given: unknown): string {
  if (!isUrl(given)) return expectPath(name, given)
  if (given.protocol === 'file:') return fileURLToPath(given.href)
  throw unexpected(name, 'a path or a file: URL (fetch others, and pass their bytes)', given.href)
}

/** Calls `use` with the path of a file; what is in memory is put into one for as long. */
export async function withFile<T>(name: string, source: unknown, use: (path: string) => Promise<T>): Promise<T> {
  if (!types.isUint8Array(source)) return use(pathOf(name, source))
  return withTemporary(async (path) => {
    await writeFile(path, source)
    return use(path)
  })
}

/** What `write` puts into a file. */
export function contentOf(write: (path: string) => Promise<void>): Promise<Uint8Array> {
  return withTemporary(async (path) => {
    await write(path)
    return new Uint8Array(await readFile(path))
  })
}

async function withTemporary<T>(use: (path: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'candlewick-'))
  try {
    return await use(join(dir, 'network.safetensors'))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
