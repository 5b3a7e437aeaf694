/** A normalization is a part of the network: of what it answers, of its files, of its clones. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { conv2d, dense, type InitializeOptions, type Normalization, Sequential } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'

const normalize = { mean: [0.4914, 0.1, -0.3], deviation: [0.247, 0.3, 1.7] }
const other = { mean: [0.5, 0.5, 0.5], deviation: [0.1, 0.1, 0.1] }
const shape: [number, number, number, number] = [20, 3, 5, 4]
const bytes = Uint8Array.from({ length: 20 * 60 }, (_, i) => (i * i) % 256)
const floats = Float32Array.from(bytes, (byte) => Math.fround(byte) / 255)

/** In float32, operation by operation. */
const byHand = floats.map((value, i) => {
  const channel = Math.floor(i / 20) % 3
  const [mean, deviation] = [normalize.mean[channel] as number, normalize.deviation[channel] as number]
  return Math.fround(value - Math.fround(mean)) * Math.fround(1 / Math.fround(deviation))
})

async function initialized(options: Partial<InitializeOptions> = {}): Promise<Sequential> {
  const net = new Sequential([conv2d({ channels: 4, kernelSize: 3, padding: 1 }), dense({ units: 3 })])
  await net.initialize({ inputShape: [3, 5, 4], device: 'cpu', threads: 1, seed: 1, ...options })
  return net
}

async function logits(net: Sequential, data: Uint8Array | Float32Array = bytes): Promise<Float32Array> {
  return (await net.predict({ data, shape } as Parameters<Sequential['predict']>[0])).logits
}

/** A file of a network with this normalization, or with none. */
async function saved(t: ExecutionContext, own: Normalization | undefined): Promise<string> {
  const path = join(await temporaryFolder(t), 'net.safetensors')
  await (await initialized({ seed: 2, ...(own && { normalize: own }) })).saveParameters(path)
  return path
}

test('bytes and float32 are normalized as by hand, to the bit', async (t) => {
  const [net, plain] = [await initialized({ normalize }), await initialized()]
  t.deepEqual(net.normalization, normalize)
  t.is(plain.normalization, undefined)
  const expected = await logits(plain, byHand)
  t.deepEqual(await logits(net), expected)
  t.deepEqual(await logits(net, floats), expected)
  t.notDeepEqual(await logits(plain), expected)
})

test('the reference engine agrees', async (t) => {
  const net = await initialized({ normalize, engine: 'candle' })
  const expected = await logits(await initialized({ normalize }))
  for (const [i, value] of (await logits(net)).entries()) t.true(Math.abs(value - (expected[i] as number)) < 1e-5)
})

test('it may come before the shape of the images, and goes with another initialization', async (t) => {
  const net = new Sequential([dense({ units: 2 })])
  t.is(net.normalization, undefined)
  await net.initialize({ device: 'cpu', normalize })
  t.deepEqual(net.normalization, normalize)
  await net.predict({ data: bytes, shape })
  t.deepEqual(net.normalization, normalize)
  t.throws(() => ((net.normalization as unknown as { mean: number[] }).mean[0] = 7), { instanceOf: TypeError })
  await net.initialize({ device: 'cpu', forceReinit: true })
  t.is(net.normalization, undefined)
})

test('what is no normalization is refused in a sentence', async (t) => {
  const refused = async (normalize: unknown, message: string) => {
    const call = initialized({ normalize: normalize as Normalization })
    t.is((await t.throwsAsync(call, { code: 'INVALID_ARGUMENT' })).message, message)
  }
  const of = (mean: unknown, deviation: unknown = [1, 1, 1]) => ({ mean, deviation })
  await refused(1, 'Expected an object of options for normalize, but received 1.')
  await refused({ ...normalize, std: 1 }, 'Unknown option "std" for normalize; it takes mean, deviation.')
  await refused(of(0.5), 'Expected an array of numbers, one for each channel, for normalize.mean, but received 0.5.')
  await refused(of([]), 'Expected an array of numbers, one for each channel, for normalize.mean, but received [].')
  const mean = 'Expected a number that is finite in float32 for normalize.mean'
  await refused(of([0, Number.NaN, 0]), `${mean}[1], but received NaN.`)
  await refused(of([0, 0, 1e39]), `${mean}[2], but received 1e+39.`)
  await refused(of(['0', 0, 0]), `${mean}[0], but received "0".`)
  const deviation = 'Expected a number above 0 whose reciprocal is finite in float32 for normalize.deviation'
  for (const value of [0, -1, 1e-39, Number.NaN]) {
    await refused(of([0, 0, 0], [1, 1, value]), `${deviation}[2], but received ${value}.`)
  }
  const few = 'Expected 3 numbers, as many as of mean, for normalize.deviation, but received [ 1 ].'
  await refused(of([0, 0, 0], [1]), few)
  const channels = "The normalization's mean has 1 numbers, but images have 3 channels; give one for each channel."
  await refused(of([0], [1]), channels)
})

test('a file has it, and a network out of the file alone', async (t) => {
  const path = await saved(t, normalize)
  const [net, original] = [await Sequential.load(path, { device: 'cpu' }), await initialized({ seed: 2, normalize })]
  t.deepEqual(net.normalization, normalize)
  t.deepEqual(await logits(net), await logits(original))
  t.is((await Sequential.load(await saved(t, undefined), { device: 'cpu' })).normalization, undefined)
})

test('a file of a network without is as it always was', async (t) => {
  const bytes = await readFile(await saved(t, undefined))
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString()
  const { candlewick } = JSON.parse(header).__metadata__
  t.deepEqual(Object.keys(JSON.parse(candlewick)), ['network'])
})

test('it comes with the parameters that images meet first', async (t) => {
  const path = await saved(t, normalize)
  const expected = await logits(await initialized({ seed: 2, normalize }))
  for (const own of [undefined, other]) {
    const net = await initialized(own && { normalize: own })
    t.deepEqual((await net.loadParameters(path)).left, [])
    t.deepEqual(net.normalization, normalize)
    t.deepEqual(await logits(net), expected)
    const head = await initialized(own && { normalize: own })
    await head.loadParameters(path, { only: 'dense*' })
    t.deepEqual(head.normalization, own, 'of the head it says nothing')
    await head.loadParameters(path, { only: 'conv*' })
    t.deepEqual(head.normalization, normalize)
  }
})

test('a network keeps its own with the parameters of a network without, which is warned of', async (t) => {
  const net = await initialized({ normalize })
  const warned = new Promise<Error & { code?: string }>((resolve) => process.once('warning', resolve))
  const path = await saved(t, undefined)
  await net.loadParameters(path)
  t.deepEqual(net.normalization, normalize)
  const { code, message } = await warned
  t.is(code, 'CANDLEWICK_NORMALIZATION')
  t.true(message.startsWith(`The parameters of ${path} are of a network without a normalization, but this one keeps`))
  t.deepEqual(await logits(net), await logits(await initialized({ seed: 2, normalize })))
})

test('what is called one after the other finds parameters and normalization that belong together', async (t) => {
  const path = await saved(t, normalize)
  const [net, expected] = [await initialized(), await logits(await initialized({ seed: 2, normalize }))]
  const plain = await logits(net)
  const again = join(await temporaryFolder(t), 'again.safetensors')
  const [before, , after, , clone] = await Promise.all([
    logits(net),
    net.loadParameters(path),
    logits(net),
    net.saveParameters(again),
    net.clone(),
  ])
  t.deepEqual([before, after], [plain, expected])
  t.deepEqual(await logits(clone), expected)
  t.deepEqual(await logits(await Sequential.load(again, { device: 'cpu' })), expected)
})

test('a clone has it, and parameters alone do not', async (t) => {
  const net = await initialized({ normalize })
  const clone = await net.clone()
  t.deepEqual(clone.normalization, normalize)
  t.deepEqual(await logits(clone), await logits(net))
  const plain = await initialized({ seed: 7 })
  await plain.setParameters(await net.parameters())
  t.is(plain.normalization, undefined)
})

test('a file whose normalization is none is refused, and nothing is replaced', async (t) => {
  const path = await saved(t, normalize)
  const content = await readFile(path)
  const damaged = content.toString('latin1').replace('[0.247,0.3,1.7]', '[0.247,0.3,0.0]')
  await writeFile(path, damaged, 'latin1')
  const net = await initialized()
  const before = await net.parameters()
  const message = /cannot read parameters from .*deviation of channel 2 is 0; it must be above 0/i
  await t.throwsAsync(net.loadParameters(path), { code: 'CHECKPOINT_INVALID', message })
  t.deepEqual([net.normalization, await net.parameters()], [undefined, before])
})
