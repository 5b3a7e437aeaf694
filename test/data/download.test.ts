import { createHash } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { download } from '#dist/data/download.js'
import { fetchFashionMnist } from '#dist/data/fashion-mnist.js'
import { bytes, temporaryFolder } from '../idx-folder.js'

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
  t.true((await readFile(join(dir, 'b.gz'))).equals(content))
  t.deepEqual(seen.at(-1), [600_000, 600_000])
})

for (const [what, listener, message] of [
  [
    'another content',
    (_, response) => response.end(Buffer.alloc(300_000)),
    /^http\S+ is not the expected file: its SHA-256 is .* instead of/,
  ],
  ['too short a file', (_, response) => response.end(content.subarray(1)), /299999 bytes instead of 300000/],
  ['too long a file', (_, response) => response.end(Buffer.alloc(400_000)), /more than 300000/],
  ['a missing file', (_, response) => response.writeHead(404).end(), /^Cannot download http\S+: it answered 404\.$/],
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

test('an endless answer is cut where it is too long', async (t) => {
  let closed = () => {}
  const isClosed = new Promise<void>((resolve) => {
    closed = resolve
  })
  const url = await serve(t, (_, response) => {
    const more = () => response.write(Buffer.alloc(65_536), (error) => !error && setImmediate(more))
    response.once('close', closed)
    more()
  })
  const dir = await temporaryFolder(t)
  const seen: number[] = []
  const downloading = download(url, [file], dir, { onBytes: (done) => seen.push(done) })
  await t.throwsAsync(downloading, { code: 'DOWNLOAD_FAILED', message: /more than 300000/ })
  await isClosed
  t.true((seen.at(-1) ?? 0) <= 300_000)
  t.deepEqual(await readdir(dir), [])
})

for (const [when, head] of [
  ['no answer came', undefined],
  ['half of the answer came', content.subarray(0, 150_000)],
] as const) {
  test(`a download is aborted when ${when}, and leaves nothing`, async (t) => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const abort = () => setTimeout(() => controller.abort(reason), 20)
    const url = await serve(t, (_, response) => {
      t.teardown(() => response.destroy())
      if (head) response.write(head)
      else abort()
    })
    const dir = await temporaryFolder(t)
    const { signal } = controller
    const onBytes = (done: number) => done === 150_000 && abort()
    await t.throwsAsync(download(url, [file], dir, { onBytes, signal }), { is: reason })
    t.deepEqual(await readdir(dir), [])
    t.is(getEventListeners(signal, 'abort').length, 0)
  })
}

test('a download is not begun after an abort, and a signal need only act like one', async (t) => {
  const url = await serve(t, () => t.fail('it was asked'))
  const dir = join(await temporaryFolder(t), 'new')
  const reason = new Error('enough')
  const throwIfAborted = () => {
    throw reason
  }
  const { signal } = new AbortController()
  for (const aborted of [
    AbortSignal.abort(reason),
    { ...acting(signal), aborted: true, throwIfAborted } as AbortSignal,
  ]) {
    await t.throwsAsync(download(url, [file], dir, { signal: aborted }), { is: reason })
  }
  t.false(existsSync(dir))
  const whole = await serve(t, (_, response) => response.end(content))
  await download(whole, [file], dir, { signal: acting(signal) })
  t.deepEqual(await readdir(dir), ['a.gz'])
  t.is(getEventListeners(signal, 'abort').length, 0)
})

/** A signal that is no `instanceof AbortSignal`, as those of another realm. */
function acting(signal: AbortSignal): AbortSignal {
  return {
    aborted: false,
    throwIfAborted: () => signal.throwIfAborted(),
    addEventListener: signal.addEventListener.bind(signal),
    removeEventListener: signal.removeEventListener.bind(signal),
  } as unknown as AbortSignal
}

test('two downloads of one process into one folder do not touch each other', async (t) => {
  const finish: (() => void)[] = []
  const url = await serve(t, (_, response) => {
    response.write(content.subarray(0, 100_000))
    finish.push(() => response.end(content.subarray(100_000)))
  })
  const dir = await temporaryFolder(t)
  /** Resolves once the first bytes are there; then `whole` is the download itself. */
  const begin = () =>
    new Promise<{ whole: Promise<void> }>((resolve, reject) => {
      const whole = download(url, [file], dir, { onBytes: () => resolve({ whole }) })
      whole.catch(reject)
    })
  const first = await begin()
  const second = await begin()
  t.is((await readdir(dir)).length, 2, 'a part of each')
  finish[0]?.()
  await first.whole
  t.true((await readFile(join(dir, 'a.gz'))).equals(content))
  finish[1]?.()
  await second.whole
  t.true((await readFile(join(dir, 'a.gz'))).equals(content))
  t.deepEqual(await readdir(dir), ['a.gz'])
})

test('what is there already is not fetched again, but what is damaged is', async (t) => {
  const asked: string[] = []
  const url = await serve(t, ({ url = '' }, response) => {
    asked.push(url)
    response.end(content)
  })
  const dir = await temporaryFolder(t)
  const damaged = Buffer.from(content)
  damaged[150_000] = ~(damaged[150_000] as number)
  await writeFile(join(dir, 'a.gz'), content)
  await writeFile(join(dir, 'b.gz'), damaged)
  await writeFile(join(dir, 'c.gz'), content.subarray(1))
  const seen: number[] = []
  const files = ['a.gz', 'b.gz', 'c.gz'].map((name) => ({ ...file, name }))
  await download(url, files, dir, { onBytes: (done) => seen.push(done) })
  t.deepEqual(asked, ['/b.gz', '/c.gz'])
  t.deepEqual([seen[0], seen.at(-1)], [300_000, 900_000])
  for (const { name } of files) t.true((await readFile(join(dir, name))).equals(content))
})

test('after an abort between two files, the second is not asked for', async (t) => {
  const url = await serve(t, () => t.fail('it was asked'))
  const dir = await temporaryFolder(t)
  await writeFile(join(dir, 'a.gz'), content)
  const controller = new AbortController()
  const reason = new Error('enough')
  const { signal } = controller
  const files = [file, { ...file, name: 'b.gz' }]
  await t.throwsAsync(download(url, files, dir, { onBytes: () => controller.abort(reason), signal }), { is: reason })
  t.deepEqual(await readdir(dir), ['a.gz'])
})

test('parts that a killed download left go with the next, those of a living one stay', async (t) => {
  const url = await serve(t, (_, response) => response.end(content))
  const dir = await temporaryFolder(t)
  const old = new Date(Date.now() - 2 * 3_600_000)
  const younger = new Date(Date.now() - 50 * 60_000)
  for (const name of ['a.gz.1.part', 'a.gz.2.part', 'a.gz.3.part', 'mine.part', 'a.gz.txt']) {
    await writeFile(join(dir, name), '')
  }
  await utimes(join(dir, 'a.gz.3.part'), younger, younger)
  for (const name of ['a.gz.1.part', 'mine.part', 'a.gz.txt']) await utimes(join(dir, name), old, old)
  await download(url, [file], dir)
  t.deepEqual((await readdir(dir)).sort(), ['a.gz', 'a.gz.2.part', 'a.gz.3.part', 'a.gz.txt', 'mine.part'])
})

test('a folder that cannot be made, or a folder in the place of a file, is named', async (t) => {
  const url = await serve(t, (_, response) => response.end(content))
  const dir = await temporaryFolder(t)
  const expected = (message: RegExp) => ({ code: 'DOWNLOAD_FAILED', message })
  await t.throwsAsync(download(url, [file], '/dev/null/x'), expected(/Cannot make the folder \/dev\/null\/x: ENOTDIR/))
  await mkdir(join(dir, 'a.gz'))
  await t.throwsAsync(download(url, [file], dir), expected(/Cannot download .*a\.gz: .*(EISDIR|ENOTEMPTY|EEXIST)/))
  t.deepEqual(await readdir(dir), ['a.gz'])
})

test.serial('without a network, the error says what to do', async (t) => {
  const before = process.env.XDG_CACHE_HOME
  process.env.XDG_CACHE_HOME = await temporaryFolder(t)
  t.teardown(() => {
    if (before === undefined) delete process.env.XDG_CACHE_HOME
    else process.env.XDG_CACHE_HOME = before
  })
  const error = await t.throwsAsync(fetchFashionMnist({ source: { baseUrl: 'http://127.0.0.1:1/', files: [file] } }), {
    code: 'DOWNLOAD_FAILED',
  })
  t.regex(error?.message ?? '', /ECONNREFUSED|bad port/)
  t.regex(error?.message ?? '', /apt-get install dataset-fashion-mnist/)
})
