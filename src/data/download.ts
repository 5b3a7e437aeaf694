import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CandlewickError, messageOf } from '../errors.js'

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

const abandonedAfter = 3_600_000 // ms without a byte

/**
 * Fetches files into `dir`, one after the other, but those that are there already. A file appears under its name only when it
 * is whole, of the right size and the right SHA-256; one that is not is replaced.
 */
export async function download(
  baseUrl: string,
  files: readonly RemoteFile[],
  dir: string,
  options: { onBytes?: OnBytes; signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const { onBytes, signal } = options
  const total = files.reduce((sum, file) => sum + file.size, 0)
  let done = 0
  const count = (bytes: number) => {
    done += bytes
    onBytes?.(done, total)
  }
  signal?.throwIfAborted()
  await mkdir(dir, { recursive: true }).catch((cause) => {
    throw failed(`Cannot make the folder ${dir}`, cause)
  })
  await sweep(dir, files)
  for (const file of files) {
    if ((await difference(join(dir, file.name), file).catch(() => 'not readable')) === undefined) count(file.size)
    else await fetchFile(new URL(file.name, baseUrl).href, file, dir, count, signal)
  }
}

async function fetchFile(
  url: string,
  file: RemoteFile,
  dir: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Nobody else's, not even another call's
  const partial = join(dir, `${file.name}.${randomUUID()}.part`)
  // fetch takes no signal of another realm.
  const fetching = new AbortController()
  const abort = () => fetching.abort()
  signal?.addEventListener('abort', abort, { once: true })
  try {
    signal?.throwIfAborted()
    const response = await fetch(url, { signal: fetching.signal })
    if (!response.ok || !response.body) throw failed(`Cannot download ${url}`, `it answered ${response.status}`)
    await write(partial, response.body as AsyncIterable<Uint8Array>, file.size, onBytes)
    const wrong = await difference(partial, file)
    if (wrong) throw failed(`${url} is not the expected file`, wrong)
    signal?.throwIfAborted()
    await rename(partial, join(dir, file.name))
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof CandlewickError) throw cause
    throw failed(`Cannot download ${url}`, cause)
  } finally {
    signal?.removeEventListener('abort', abort)
    abort() // ends the connection, whatever is left of the answer
    await rm(partial, { force: true }).catch(() => {}) // the next sweep takes it
  }
}

/** Writes a new file; of what is longer than `size`, no more than shows it. */
async function write(
  path: string,
  content: AsyncIterable<Uint8Array>,
  size: number,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const output = await open(path, 'wx')
  try {
    let written = 0
    for await (const chunk of content) {
      await output.writeFile(chunk)
      written += chunk.length
      if (written > size) break
      onBytes(chunk.length)
    }
    await output.sync()
  } finally {
    await output.close()
  }
}

/** What tells the file at `path`, as it is on the disk, from the expected one. */
async function difference(path: string, file: RemoteFile): Promise<string | undefined> {
  const found = await stat(path)
  if (!found.isFile()) return 'it is no file'
  if (found.size !== file.size) {
    const held = found.size > file.size ? `more than ${file.size}` : `${found.size}`
    return `it has ${held} bytes instead of ${file.size}`
  }
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  const sha256 = hash.digest('hex')
  return sha256 === file.sha256 ? undefined : `its SHA-256 is ${sha256} instead of ${file.sha256}`
}

/** Removes what downloads left that were killed. */
async function sweep(dir: string, files: readonly RemoteFile[]): Promise<void> {
  const isPart = (name: string) => name.endsWith('.part') && files.some((file) => name.startsWith(`${file.name}.`))
  for (const name of (await readdir(dir).catch(() => [])).filter(isPart)) {
    const path = join(dir, name)
    const changed = await stat(path).then(
      (found) => found.mtimeMs,
      () => Date.now(),
    )
    if (Date.now() - changed > abandonedAfter) await rm(path, { force: true }).catch(() => {})
  }
}

function failed(what: string, cause: unknown): CandlewickError {
  // fetch says "fetch failed" and keeps the reason in its cause
  const { cause: inner } = Object(cause) as { cause?: unknown }
  return new CandlewickError('DOWNLOAD_FAILED', `${what}: ${messageOf(inner ?? cause)}.`, { cause })
}
