import { createHash } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CandlewickError } from '../errors.js'

/** A file to fetch and what is known of it. */
export interface RemoteFile {
  name: string
  /** Bytes. */
  size: number
  /** Hexadecimal. */
  sha256: string
}

/** Called as bytes come in: so many of all files' bytes. */
export type OnBytes = (done: number, total: number) => void

/**
 * Fetches files into `dir`, one after the other. A file appears under its name only when it is whole, of the right size and
 * the right SHA-256.
 */
export async function download(
  baseUrl: string,
  files: readonly RemoteFile[],
  dir: string,
  options: { onBytes?: OnBytes; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const total = files.reduce((sum, file) => sum + file.size, 0)
  let done = 0
  await mkdir(dir, { recursive: true }).catch((cause) => {
    throw failed(`Cannot make the folder ${dir}`, cause)
  })
  for (const file of files) {
    const onBytes = (bytes: number) => {
      done += bytes
      options.onBytes?.(done, total)
    }
    await fetchFile(new URL(file.name, baseUrl).href, file, dir, onBytes, options.signal)
  }
}

async function fetchFile(
  url: string,
  file: RemoteFile,
  dir: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const partial = join(dir, `${file.name}.${process.pid}.part`)
  try {
    const response = await fetch(url, signal ? { signal } : {})
    if (!response.ok || !response.body) throw failed(`Cannot download ${url}`, `it answered ${response.status}`)
    await writeChecked(url, response.body as AsyncIterable<Uint8Array>, file, partial, onBytes)
    await rename(partial, join(dir, file.name))
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof CandlewickError) throw cause
    throw failed(`Cannot download ${url}`, cause)
  } finally {
    await rm(partial, { force: true })
  }
}

async function writeChecked(
  url: string,
  content: AsyncIterable<Uint8Array>,
  file: RemoteFile,
  path: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const hash = createHash('sha256')
  let size = 0
  const output = await open(path, 'w')
  try {
    for await (const chunk of content) {
      hash.update(chunk)
      size += chunk.length
      if (size > file.size) break
      await output.writeFile(chunk)
      onBytes(chunk.length)
    }
    await output.sync()
  } finally {
    await output.close()
  }
  if (size !== file.size) {
    const held = size > file.size ? `more than ${file.size}` : `${size}`
    throw failed(`${url} is not the expected file`, `it has ${held} bytes instead of ${file.size}`)
  }
  const sha256 = hash.digest('hex')
  if (sha256 !== file.sha256) {
    throw failed(`${url} is not the expected file`, `its SHA-256 is ${sha256} instead of ${file.sha256}`)
  }
}

function failed(what: string, cause: unknown): CandlewickError {
  // fetch says "fetch failed" and keeps the reason in its cause
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  const reason = inner instanceof Error ? inner.message : String(inner)
  return new CandlewickError('DOWNLOAD_FAILED', `${what}: ${reason}.`, { cause })
}
