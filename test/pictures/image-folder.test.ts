/** Folders of pictures become datasets. */

import { existsSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type ImageFolderOptions, imageFolder } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'
import { folderOf, picture, plain, stripes } from './shapes.js'

const small = { size: 4 } as const

test('folders are classes, and images are what the pictures show', async (t) => {
  const corners = picture(4, 4, (y, x) => [y * 10, x * 10, 200])
  const dir = await folderOf(t, {
    'cat/b.png': plain(2),
    'cat/a.PNG': corners,
    'dog/deep/er.png': plain(9, 8, 7),
    'cat/notes.txt': '',
  })
  const { train, classes, broken, notes, ...others } = await imageFolder(dir, small)
  t.deepEqual([classes, train.classes, broken, notes, others], [['cat', 'dog'], ['cat', 'dog'], [], [], {}])
  t.deepEqual([train.length, train.imageShape, [...train.labels()], train.counts()], [3, [3, 4, 4], [0, 0, 1], [2, 1]])
  const { data } = train.images()
  const rows = Array.from({ length: 16 }, (_, i) => Math.floor(i / 4) * 10)
  t.deepEqual([...data.subarray(0, 16)], rows)
  t.deepEqual(
    [...data.subarray(96)],
    [9, 8, 7].flatMap((value) => new Array(16).fill(value)),
  )
  const grey = (await imageFolder(dir, { ...small, channels: 1, size: [2, 3] })).train
  t.deepEqual([grey.imageShape, grey.images(2).data[0]], [[1, 2, 3], 8])
})

test('splits at the top are datasets, and a share is one of its own', async (t) => {
  const files = { ...stripes(10, 'train/'), ...stripes(2, 'test/'), ...stripes(1, 'validation/') }
  const { train, validation, test: held } = await imageFolder(await folderOf(t, files), small)
  t.deepEqual([train.length, validation?.length, held?.length], [20, 2, 4])
  const dir = await folderOf(t, stripes(10))
  const parts = await imageFolder(dir, { ...small, validation: 0.2 })
  t.deepEqual([parts.train.counts(), parts.validation?.counts(), parts.test], [[8, 8], [2, 2], undefined])
  const again = await imageFolder(dir, { ...small, validation: 0.2 })
  t.deepEqual(again.validation?.images(), parts.validation?.images())
})

test('a broken picture is left out and named, or ends the load', async (t) => {
  const dir = await folderOf(t, {
    ...stripes(3),
    'across/x.jpg': 'no picture',
    'down/empty.png': '',
    'down/later.heic': '',
  })
  const { train, broken, notes } = await imageFolder(dir, small)
  t.deepEqual([train.length, train.counts()], [6, [3, 3]])
  t.deepEqual(broken, [
    { path: join(dir, 'across/x.jpg'), reason: 'it is neither JPEG, PNG, WebP, BMP nor GIF' },
    { path: join(dir, 'down/empty.png'), reason: 'the file is empty' },
  ])
  t.deepEqual(notes, [`1 .heic in ${dir} are of formats that are not read`])
  await t.throwsAsync(imageFolder(dir, { ...small, onError: 'fail' }), {
    code: 'DATA_CORRUPT',
    message: /(x\.jpg|empty\.png) cannot be read: .*; remove it, or leave out onError/,
  })
  await writeFile(join(dir, 'a.png'), plain(1))
  t.regex((await imageFolder(dir, small)).notes[0] as string, /^1 pictures stand beside the folders/)
  const none = await folderOf(t, { 'a/1.png': plain(1), 'b/2.png': 'nothing' })
  await t.throwsAsync(imageFolder(none, small), {
    code: 'DATA_CORRUPT',
    message: /None of the pictures of the class b of .*2\.png/,
  })
})

test('images on the disk are those of memory, and are made once', async (t) => {
  const [dir, cacheDir] = [
    await folderOf(t, { ...stripes(5), 'down/x.png': '' }),
    join(await temporaryFolder(t), 'new'),
  ]
  const memory = await imageFolder(dir, small)
  const onDisk = { ...small, cache: 'disk', cacheDir } as const
  const first = await imageFolder(dir, onDisk)
  t.deepEqual([first.train.images(), [...first.train.labels()]], [memory.train.images(), [...memory.train.labels()]])
  t.deepEqual(first.broken, memory.broken)
  const files = readdirSync(cacheDir)
  t.is(files.length, 1)
  const second = await imageFolder(dir, onDisk)
  t.deepEqual(
    [second.train.images(), second.broken, readdirSync(cacheDir)],
    [memory.train.images(), memory.broken, files],
  )
  await writeFile(join(dir, 'down/x.png'), plain(3))
  t.is((await imageFolder(dir, onDisk)).train.length, 11)
  await t.throwsAsync(imageFolder(dir, { ...onDisk, cacheDir: join(dir, 'down/x.png') }), {
    code: 'SAVE_FAILED',
    message: /name another folder as cacheDir/,
  })
})

test('a load ends at a signal, and by what onProgress throws', async (t) => {
  const dir = await folderOf(t, stripes(40))
  const abort = new AbortController()
  const mine = new Error('mine')
  const loading = imageFolder(dir, { size: 512, signal: abort.signal })
  setImmediate(() => abort.abort(mine))
  t.is(await t.throwsAsync(loading), mine)
  await t.throwsAsync(imageFolder(dir, { ...small, signal: AbortSignal.abort(mine) }), { is: mine })
  const told: unknown[] = []
  await imageFolder(dir, { ...small, onProgress: (done) => told.push(done) })
  t.deepEqual(told.at(-1), { pictures: 80, total: 80, broken: 0 })
  const thrown = imageFolder(dir, {
    ...small,
    onProgress() {
      throw mine
    },
  })
  t.is(await t.throwsAsync(thrown), mine)
})

test('classes that are given are those of the labels', async (t) => {
  const dir = await folderOf(t, { 'b/1.png': plain(1), 'z/2.png': plain(2) })
  const { train, classes } = await imageFolder(dir, { ...small, classes: ['z', 'a', 'b'] })
  t.deepEqual(
    [classes, [...train.labels()]],
    [
      ['z', 'a', 'b'],
      [2, 0],
    ],
  )
  await t.throwsAsync(imageFolder(dir, { ...small, classes: ['a', 'b'] }), {
    code: 'DATA_MISMATCH',
    message: /pictures of z/,
  })
})

test('what is no such folder, and options that make no sense, are refused with a sentence', async (t) => {
  const dir = await folderOf(t, stripes(2))
  await t.throwsAsync(imageFolder(join(dir, 'nowhere')), {
    code: 'DATA_NOT_FOUND',
    message: /nowhere: there is no such folder/,
  })
  await t.throwsAsync(imageFolder(join(dir, 'down')), { code: 'DATA_MISMATCH', message: /2 pictures and no folders/ })
  for (const [options, message] of [
    [{ size: 0 }, /integer from 1 to 4096 for size/],
    [{ size: [4] }, /\[height, width\]/],
    [{ channels: 2 }, /1 \(grey\) or 3/],
    [{ fit: 'crop' }, /fit/],
    [{ background: [1, 2, 256] }, /background\[2\]/],
    [{ validation: 1 }, /a share above 0 and below 1/],
    [{ validation: 0 }, /a share above 0 and below 1/],
    [{ onError: 'ignore' }, /onError/],
    [{ cache: 'ssd' }, /cache/],
    [{ sise: 3 }, /sise/],
  ] as const) {
    await t.throwsAsync(
      imageFolder(dir, options as ImageFolderOptions),
      { code: 'INVALID_ARGUMENT', message },
      String(message),
    )
  }
  const both = await folderOf(t, { ...stripes(2, 'train/'), ...stripes(1, 'val/') })
  await t.throwsAsync(imageFolder(both, { validation: 0.5 }), {
    code: 'INVALID_ARGUMENT',
    message: /leave out validation/,
  })
  t.true(existsSync(dir))
})
