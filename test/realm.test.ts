import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { dense, Sequential } from 'candlewick'
import { idxFolder, temporaryFolder } from './idx-folder.js'

/** Evaluates candlewick and `main` in a realm of their own, with Node's modules and the addon of the main one, as jest does. */
const loader = `
  import { readFileSync } from 'node:fs'
  import { createRequire, isBuiltin } from 'node:module'
  import { dirname, resolve } from 'node:path'
  import { fileURLToPath, pathToFileURL } from 'node:url'
  import { createContext, SourceTextModule, SyntheticModule } from 'node:vm'

  const [entry, main] = process.argv.slice(1)
  const { AbortController, URL, console, fetch } = globalThis // what no module of Node's has
  const context = createContext({ AbortController, URL, console, fetch })
  const modules = new Map()

  async function make(id) {
    const isOurs = id.startsWith(dirname(entry)) || id === main
    if (isOurs) {
      const initializeImportMeta = (meta) => { meta.url = pathToFileURL(id).href }
      return new SourceTextModule(readFileSync(id, 'utf8'), { context, identifier: id, initializeImportMeta })
    }
    const outer = await import(isBuiltin(id) ? id : pathToFileURL(id).href)
    return new SyntheticModule(Object.keys(outer), function () {
      for (const name of Object.keys(outer)) this.setExport(name, outer[name])
    }, { context, identifier: id })
  }

  function load(specifier, from) {
    const path = specifier === 'candlewick' ? entry : specifier
    const id = isBuiltin(path) ? path : /^[./]/.test(path) ? resolve(dirname(from), path) : fileURLToPath(import.meta.resolve(path))
    if (!modules.has(id)) modules.set(id, make(id))
    return modules.get(id)
  }

  const module = await load(main, main)
  await module.link((specifier, { identifier }) => load(specifier, identifier))
  await module.evaluate()
`

/** Prints what becomes of errors that candlewick did not make: the addon's, zlib's, the file system's, fetch's. */
const main = (damaged: string, dataModule: string) => `
  import { arrayDataset, CandlewickError, dense, fit, idxDataset, Sequential, sgd, step } from 'candlewick'
  import { download } from ${JSON.stringify(dataModule)}

  const net = new Sequential([dense({ units: 3 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1 })
  const image = { data: new Uint8Array(4), shape: [1, 1, 2, 2] }
  const optimizer = sgd({ learningRate: 1 })
  const file = { name: 'a', size: 1, sha256: '' }
  for (const act of [
    () => net.loadParameters('/nowhere'),
    () => step(net, image, [7], optimizer),
    () => idxDataset({ dir: ${JSON.stringify(damaged)} }),
    () => idxDataset({ dir: '/nowhere' }),
    () => idxDataset({ dir: '/nowhere\\0' }),
    () => download('http://127.0.0.1:1/', [file], ${JSON.stringify(damaged)}),
    () => download('http://127.0.0.1:1/', [file], '/dev/null/x'),
    () => new Sequential([dense({ units: 3 })]).describe([1, 2 ** 31 - 1, 2 ** 31 - 1]),
    () => net.predict({ data: new Uint16Array(4), shape: [1, 1, 2, 2] }),
  ]) {
    const error = await (async () => act())().catch((error) => error)
    console.log(error instanceof CandlewickError, error.code, error.message)
  }
  await new Sequential([dense({ units: 3 })]).initialize()
  const data = await arrayDataset({ images: image, labels: [1] })
  for await (const epoch of fit(net, data, { epochs: 1, batchSize: 1, optimizer, onProgress() {} })) epoch.loss
  console.log((await net.predict(image)).labels.length, (await step(net, image, [1], optimizer)).correct)
`

test('in a realm of its own, as in jest, errors are ours and arrays are arrays', async (t) => {
  const damaged = await idxFolder(t, {
    'train-images-idx3-ubyte.gz': Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1]),
  })
  const program = join(await temporaryFolder(t), 'main.js')
  const entry = join(process.cwd(), 'dist', 'index.js')
  await writeFile(program, main(damaged, join(process.cwd(), 'dist', 'data', 'download.js')))
  const flags = ['--experimental-vm-modules', '--no-warnings', '--input-type=module', '--eval', loader]
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, entry, program])
  const lines = stdout.trim().split('\n')
  const expected = [
    /^true CHECKPOINT_NOT_FOUND .*\/nowhere/,
    /^true LABEL_OUT_OF_RANGE .*label 7/,
    /^true DATA_CORRUPT .*cut short/,
    /^true DATA_NOT_FOUND There is no folder/,
    /^true DATA_NOT_FOUND /,
    /^true DOWNLOAD_FAILED Cannot download .*(ECONNREFUSED|bad port)/,
    /^true DOWNLOAD_FAILED .*ENOTDIR/,
    /^true (INVALID_SHAPE|OUT_OF_MEMORY) /,
    /^true INVALID_ARGUMENT .*Uint16Array of length 4/,
    /^1 [01]$/,
  ]
  t.is(lines.length, expected.length, stdout)
  for (const [i, pattern] of expected.entries()) t.regex(lines[i] ?? '', pattern)
})

/** A URL as jsdom has them: of no class of Node's. */
function foreignUrl(path: string): URL {
  const { href, protocol } = pathToFileURL(path)
  return { href, protocol, [Symbol.toStringTag]: 'URL' } as unknown as URL
}

test('arrays and URLs of another realm are taken for what they are', async (t) => {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 1, 2], device: 'cpu', seed: 1 })
  const theirs = runInNewContext('(values) => Float32Array.from(values)')
  t.false(theirs([]) instanceof Float32Array)
  const parameters = await net.parameters()
  const moved = Object.entries(parameters).map(([name, { shape, data }]) => {
    return [name, { shape, data: theirs(data.map((value) => value + 1)) }]
  })
  await net.setParameters(Object.fromEntries(moved))
  t.deepEqual((await net.parameters())['dense0.bias']?.data, Float32Array.of(1, 1))
  const path = join(await temporaryFolder(t), 'net.safetensors')
  await net.saveParameters(path)
  await net.loadParameters(foreignUrl(path))
  const web = Object.assign(foreignUrl(path), { href: 'https://example.org/net', protocol: 'https:' })
  await t.throwsAsync(net.loadParameters(web), { code: 'INVALID_ARGUMENT', message: /example\.org/ })
})
