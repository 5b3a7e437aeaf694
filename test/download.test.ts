import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { download } from '#dist/data/download.js'
import { fetchFashionMnist } from '#dist/data/fashion-mnist.js'
import { bytes, temporaryFolder } from './idx-folder.js'

const content = Buffer.from(bytes(300_000))
const file = { name: 'a.gz', size: content.length, sha256: createHash('sha256').update(content).digest('hex') }

async function serve(t: ExecutionContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

test('a file arrives whole, with its progress', async (t) => {
  const url = await serve(t, (_, response) => response.end(content))
  const dir = join(await temporaryFolder(t), 'new', 'folder')
  const seen: [number, number][] = []
  const onBytes = (done: number, total: number) => seen.push([done, total])
  await download(url, [file, { ...file, name: 'b.gz' }], dir, { onBytes })
  t.deepEqual((await readdir(dir)).sort(), ['a.gz', 'b.gz'])
  t.deepEqual(await readFile(join(dir, 'b.gz')), content)
  t.deepEqual(seen.at(-1), [600_000, 600_000])
})

for (const [what, listener, message] of [
  ['another content', (_, response) => response.end(Buffer.alloc(300_000)), /SHA-256 is .* instead of/],
  ['too short a file', (_, response) => response.end(content.subarray(1)), /299999 bytes instead of 300000/],
  ['too long a file', (_, response) => response.end(Buffer.alloc(400_000)), /more than 300000/],
  ['a missing file', (_, response) => response.writeHead(404).end(), /answered 404/],
  [
    'a connection that breaks',
    (_, response) => {
      response.writeHead(200, { 'content-length': 300_000 })
      response.write(content.subarray(0, 1000), () => response.destroy())
    },
    /Cannot download/,
  ],
] satisfies [string, RequestListener, RegExp][]) {
  test(`${what} leaves nothing behind`, async (t) => {
    const url = await serve(t, listener)
    const dir = await temporaryFolder(t)
    await t.throwsAsync(download(url, [file], dir), { code: 'DOWNLOAD_FAILED', message })
    t.deepEqual(await readdir(dir), [])
  })
}

test.serial('without a network, the error says what to do', async (t) => {
  const before = process.env.XDG_CACHE_HOME
  process.env.XDG_CACHE_HOME = await temporaryFolder(t)
  t.teardown(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME
    else process.env.XDG_CACHE_HOME = before
  })
  const error = await t.throwsAsync(fetchFashionMnist({ source: { baseUrl: 'http://127.0.0.1:1/', files: [file] } }), { code: 'DOWNLOAD_FAILED' })
  t.regex(error?.message ?? '', /ECONNREFUSED|bad port/)
  t.regex(error?.message ?? '', /apt-get install dataset-fashion-mnist/)
})
