/** Parquet files that pyarrow wrote (fixtures/make.py), whose pictures are of a format that everybody can decode. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { parquetDatasetBy } from '#dist/data/parquet-dataset.js'
import { temporaryFolder } from '../idx-folder.js'

const fixture = (name: string) => join('test/data/fixtures', name)

/** A byte each for height and width, then grey pixels. */
async function decode(encoded: readonly Uint8Array[]) {
  const [height, width] = encoded[0] as Uint8Array
  return {
    data: Uint8Array.from(encoded.flatMap((picture) => [...picture.subarray(2)])),
    shape: [encoded.length, 1, height, width] as number[],
  }
}

const pixels = Uint8Array.from({ length: 72 }, (_, i) => 7 * Math.floor(i / 6) + (i % 6))
const labels = Array.from({ length: 12 }, (_, i) => i % 3)

test("Hugging Face's images are read, with the names of their classes", async (t) => {
  const data = await parquetDatasetBy({ file: fixture('snappy.parquet') }, decode)
  t.deepEqual(data.images(), { data: pixels, shape: [12, 1, 2, 3] })
  t.deepEqual([...data.labels()], labels)
  t.deepEqual(data.classes, ['cat', 'dog', 'owl'])
})

test('columns may be bytes and have other names, and be compressed otherwise', async (t) => {
  for (const name of ['gzip.parquet', 'brotli.parquet']) {
    const data = await parquetDatasetBy({ file: fixture(name), image: 'picture', label: 'class' }, decode)
    t.deepEqual([data.images().data, [...data.labels()], data.classes], [pixels, labels, undefined], name)
  }
})

test('Zstandard is read where Node knows it', async (t) => {
  const loading = parquetDatasetBy({ file: fixture('zstd.parquet') }, decode)
  if ('zstdDecompressSync' in (await import('node:zlib'))) t.deepEqual((await loading).images().data, pixels)
  else await t.throwsAsync(loading, { code: 'DATA_CORRUPT', message: /compressed by ZSTD, .*use Node 22\.15 or newer/ })
})

test('several files are one data set', async (t) => {
  const files = [fixture('snappy.parquet'), fixture('snappy.parquet')]
  const sizes: number[] = []
  const data = await parquetDatasetBy({ files, classes: ['a', 'b', 'c'] }, (encoded) => {
    sizes.push(encoded.length)
    return decode(encoded)
  })
  t.deepEqual([...data.labels()], [...labels, ...labels])
  t.deepEqual(data.classes, ['a', 'b', 'c'])
  t.deepEqual(sizes, [5, 5, 2, 5, 5, 2], 'a row group at a time')
})

for (const [what, options, code, message] of [
  ['no file', {}, 'INVALID_ARGUMENT', /either file, a path, or files/],
  ['both', { file: 'a', files: ['b'] }, 'INVALID_ARGUMENT', /either file, a path, or files/],
  ['an empty list', { files: [] }, 'INVALID_ARGUMENT', /an array of paths for files/],
  ['a missing file', { file: '/nowhere' }, 'DATA_NOT_FOUND', /^Cannot read \/nowhere: ENOENT/],
  ['no table', { file: fixture('make.py') }, 'DATA_CORRUPT', /make\.py is a damaged Parquet file, or none/],
  [
    'no such column',
    { file: fixture('gzip.parquet') },
    'DATA_MISMATCH',
    /has no column "image", but picture, class; say by image/,
  ],
  [
    'no such labels',
    { file: fixture('gzip.parquet'), image: 'picture' },
    'DATA_MISMATCH',
    /no column "label", .*by label/,
  ],
  [
    'a row without a picture',
    { file: fixture('missing.parquet') },
    'DATA_CORRUPT',
    /no picture's bytes in row 3; a file that names/,
  ],
  [
    'labels for pictures',
    { file: fixture('snappy.parquet'), image: 'label' },
    'DATA_CORRUPT',
    /no picture's bytes in row 0/,
  ],
  [
    'pictures for labels',
    { file: fixture('snappy.parquet'), label: 'image' },
    'DATA_CORRUPT',
    /no label from 0 to 65535 in row 0/,
  ],
] as const) {
  test(`Parquet: ${what} is named`, async (t) => {
    const loading = parquetDatasetBy(options as unknown as { file: string }, decode)
    await t.throwsAsync(loading, { name: 'CandlewickError', code, message })
  })
}

test('pictures of several sizes are refused, and what the decoder throws is thrown', async (t) => {
  const file = fixture('snappy.parquet')
  const growing = parquetDatasetBy({ file }, async ({ length }) => ({
    data: new Uint8Array(length * length),
    shape: [length, 1, 1, length],
  }))
  await t.throwsAsync(growing, {
    code: 'DATA_MISMATCH',
    message: /snappy\.parquet, from row 10 on, came as images of shape \[2, 1, 1, 2\], not of \[2, 1, 1, 5\]/,
  })
  const mine = new Error('mine')
  await t.throwsAsync(
    parquetDatasetBy({ file }, () => Promise.reject(mine)),
    { is: mine },
  )
})

test('a file that is cut short or changed is refused, whichever byte it is', async (t) => {
  const [folder, whole] = [await temporaryFolder(t), await readFile(fixture('snappy.parquet'))]
  const file = join(folder, 'cut.parquet')
  await writeFile(file, whole.subarray(0, 2000))
  await t.throwsAsync(parquetDatasetBy({ file }, decode), { code: 'DATA_CORRUPT', message: /damaged Parquet file/ })
  for (let at = 0; at < whole.length; at += 37) {
    const other = Buffer.from(whole)
    other[at] = (other[at] as number) ^ 0xff
    await writeFile(file, other)
    try {
      await parquetDatasetBy({ file }, async ({ length }) => ({
        data: new Uint8Array(length),
        shape: [length, 1, 1, 1],
      }))
    } catch (error) {
      t.is((error as Error).name, 'CandlewickError', `byte ${at}: ${error}`)
      t.not((error as { code: string }).code, 'INTERNAL', `byte ${at}: ${error}`)
    }
  }
  t.pass()
})

test('loading Parquet can be aborted', async (t) => {
  const [controller, reason] = [new AbortController(), new Error('enough')]
  const file = fixture('snappy.parquet')
  await t.throwsAsync(parquetDatasetBy({ file, signal: AbortSignal.abort(reason) }, decode), { is: reason })
  const loading = parquetDatasetBy({ file, signal: controller.signal }, (encoded, signal) => {
    t.is(signal, controller.signal)
    controller.abort(reason)
    return decode(encoded)
  })
  await t.throwsAsync(loading, { is: reason })
})
