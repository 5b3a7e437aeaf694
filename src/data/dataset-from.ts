import { setImmediate } from 'node:timers/promises'
import { callAddon, type DatasetBuilder } from '../addon.js'
import { CandlewickError } from '../errors.js'
import { expectIntegers, expectOptions, expectSignal, readOnce, unexpected } from '../expect.js'
import { newBuilder, pushImages } from './building.js'
import { checkClasses, requireNames } from './classes.js'
import { type Dataset, datasetOf } from './dataset.js'
import { type ByteImages, type CheckedImages, checkImages, type FloatImages, type Images } from './images.js'
import { checkShortLabel } from './labels.js'

/** An image and what it shows. */
export interface Example {
  /** One image. */
  image: {
    /** Its values, channel after channel and row after row. */
    data: Images['data']
    /** (channels, height, width) */
    shape: readonly number[]
  }
  /** 0 to 65,535 */
  label: number
}

/** Options of {@link datasetFrom}. */
export interface DatasetFromOptions {
  /** What each label stands for, from 0 on. */
  classes?: readonly string[] | undefined
  /** Ends the load, which then throws the signal's reason. */
  signal?: AbortSignal | undefined
}

const pauseAfter = 1 << 20 // bytes that the event loop copies at a time

/**
 * A dataset of whatever gives images one by one, at once or by promises: an array, a generator, a stream. Each image is copied as it
 * comes and may be forgotten then; all are of one shape, and all of bytes or all of float32.
 */
export async function datasetFrom(
  examples: Iterable<Example> | AsyncIterable<Example>,
  options: DatasetFromOptions = {},
): Promise<Dataset<ByteImages | FloatImages>> {
  const given = expectOptions<DatasetFromOptions>('datasetFrom', options, { classes: true, signal: true })
  const [classes, signal] = [checkClasses(given.classes), expectSignal(given.signal)]
  const iterator = iteratorOf(examples)
  let growing: { builder: DatasetBuilder; first: CheckedImages } | undefined
  let [count, bytes] = [0, 0]
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { done, value } = await orAborted(signal, async () => iterator.next())
      if (done) break
      const { image, label } = checkExample(value, count, growing?.first)
      const [, ...shape] = image.shape
      growing ??= { builder: newBuilder({ shape, ofFloats: image.data instanceof Float32Array }), first: image }
      const { builder } = growing
      pushImages(builder, image.data)
      callAddon(() => builder.pushLabels(Uint16Array.of(label)))
      count++
      bytes += image.data.byteLength
      if (bytes > pauseAfter) {
        bytes = 0
        await setImmediate()
      }
    }
  } catch (error) {
    // As a loop that is left does; a source that hangs is not waited for.
    Promise.resolve(iterator.return?.()).catch(() => {})
    throw error
  }
  if (!growing) throw new CandlewickError('INVALID_ARGUMENT', 'The examples of datasetFrom came to an end without one.')
  const { builder } = growing
  const native = callAddon(() => builder.finish())
  return datasetOf(native, { classes: requireNames(classes, native.largestLabel) })
}

function iteratorOf(examples: unknown): Iterator<unknown> | AsyncIterator<unknown> {
  const source = Object(examples) as Partial<Iterable<unknown> & AsyncIterable<unknown>>
  const [later, atOnce] = [source[Symbol.asyncIterator], source[Symbol.iterator]]
  if (typeof later === 'function') return later.call(source as AsyncIterable<unknown>)
  if (typeof atOnce === 'function' && typeof examples !== 'string') return atOnce.call(source as Iterable<unknown>)
  throw unexpected('examples', 'an iterable or async iterable of { image: { data, shape }, label }', examples)
}

/** What a source gives, unless the signal comes before it. */
function orAborted<T>(signal: AbortSignal | undefined, give: () => Promise<T>): Promise<T> {
  const giving = give()
  if (!signal) return giving
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    const leave = () => signal.removeEventListener('abort', abort)
    giving.then(resolve, reject).finally(leave)
  })
}

function checkExample(value: unknown, i: number, first: CheckedImages | undefined) {
  const name = `example ${i}`
  if (typeof value !== 'object' || value === null) throw unexpected(name, '{ image: { data, shape }, label }', value)
  const { image, label } = readOnce<Example>(name, value, { image: true, label: true })
  const given = readOnce<Example['image']>(`${name}.image`, image, { data: true, shape: true })
  const shape = expectIntegers(`the shape of ${name}`, '[channels, height, width]', given.shape, 3, 0)
  const checked = checkImages({ data: given.data, shape: [1, ...shape] })
  const kind = ({ data, shape: [, ...shape] }: CheckedImages) =>
    `${data instanceof Float32Array ? 'float32' : 'bytes'} of shape [${shape.join(', ')}]`
  if (first && kind(first) !== kind(checked)) {
    const message = `Image ${i} has ${kind(checked)}, but image 0 has ${kind(first)}; all images of a dataset are alike.`
    throw new CandlewickError('DATA_MISMATCH', message)
  }
  return { image: checked, label: checkShortLabel(`the label of ${name}`, label) }
}
