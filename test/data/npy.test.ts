/** Arrays that numpy wrote (fixtures/make.py), and what is wrong with others. */

import { readdir, readFile, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { type NpyDatasetOptions, npyDataset } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'

const fixture = (name: string) => join('test/data/fixtures', name)
const load = (images: string, labels: string, more: Partial<NpyDatasetOptions> = {}) =>
  npyDataset({ images: fixture(images), labels: fixture(labels), ...more })
const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * i) % 251)
const labels = [0, 2, 1, 300, 65_535]

test('images of bytes have one channel, and labels may be of any type', async (t) => {
  for (const type of ['u2', 'i4', 'i8', 'i8-big', 'u4-big', 'version-2', 'version-3']) {
    const data = await load('images-u1.npy', `labels-${type}.npy`)
    t.deepEqual(data.images(), { data: bytes(60), shape: [5, 1, 3, 4] })
    t.deepEqual(data.labels(), Uint16Array.from(labels), type)
  }
  for (const type of ['u1', 'i1']) {
    const { length } = await load('images-u1.npy', `labels-${type}.npy`)
    t.is(length, 5)
    t.deepEqual((await load('images-u1.npy', `labels-${type}.npy`)).labels(), Uint8Array.of(0, 2, 1, 4, 100))
  }
})

test('floats of either size and order are float32, as they are', async (t) => {
  const expected = Float32Array.from({ length: 60 }, (_, i) => -1 + (3 * i) / 59)
  for (const type of ['f4', 'f8', 'f4-big', 'f8-big']) {
    const { data, shape } = (await load(`images-${type}.npy`, 'labels-u1.npy')).images()
    t.true(data instanceof Float32Array)
    t.deepEqual(shape, [5, 1, 3, 4])
    t.true(
      data.every((value, i) => Math.abs(value - (expected[i] as number)) < 1e-6),
      type,
    )
  }
})

/** The images of the fixtures with three channels, which numpy has last. */
const colour = Uint8Array.from({ length: 120 }, (_, i) => {
  const [image, channel, place] = [Math.floor(i / 24), Math.floor(i / 8) % 3, i % 8]
  return bytes(120)[image * 24 + place * 3 + channel] as number
})

test('channels are put first, and found where there is no doubt', async (t) => {
  const expected = { data: colour, shape: [5, 3, 4, 2] }
  t.deepEqual((await load('images-colour.npy', 'labels-u1.npy')).images(), expected)
  t.deepEqual((await load('images-colour-first.npy', 'labels-u1.npy')).images(), expected)
  const told = await load('images-colour-first.npy', 'labels-u1.npy', { layout: 'channels-last' })
  t.deepEqual(told.imageShape, [2, 3, 4])
  await t.throwsAsync(load('images-ambiguous.npy', 'labels-u1.npy'), {
    code: 'INVALID_ARGUMENT',
    message:
      /^Images of shape \(5, 3, 4, 3\) in .*ambiguous\.npy may have their channels first or last; say which by layout/,
  })
  t.deepEqual((await load('images-ambiguous.npy', 'labels-u1.npy', { layout: 'channels-first' })).imageShape, [3, 4, 3])
})

test('arrays are read from archives, stored and deflated', async (t) => {
  for (const name of ['stored.npz', 'deflated.npz']) {
    const data = await npyDataset({ file: fixture(name), images: 'x_train', labels: 'y_train' })
    t.deepEqual([data.images().data, [...data.labels()]], [colour, labels], name)
    const test = await npyDataset({ file: fixture(name), images: 'x_test', labels: 'y_test.npy' })
    t.deepEqual([test.images().data, [...test.labels()]], [colour.slice(0, 48), labels.slice(0, 2)], name)
  }
  const one = await load('one.npz', 'labels-u1.npy', { classes: Array.from({ length: 101 }, (_, i) => `class ${i}`) })
  t.deepEqual([one.images().data, one.classes?.[100]], [bytes(60), 'class 100'])
})

for (const [what, images, labels, code, message] of [
  [
    'another order',
    'images-fortran.npy',
    'labels-u1.npy',
    'DATA_CORRUPT',
    /fortran\.npy is in Fortran's order; save np\.asc/,
  ],
  [
    'images of integers',
    'images-i2.npy',
    'labels-u1.npy',
    'DATA_CORRUPT',
    /type <i2, but images are of uint8, .*astype/,
  ],
  [
    'labels of floats',
    'images-u1.npy',
    'images-f4.npy',
    'DATA_CORRUPT',
    /has shape \(5, 3, 4\), but labels have \(n\)/,
  ],
  [
    'labels for images',
    'labels-u1.npy',
    'labels-u1.npy',
    'DATA_CORRUPT',
    /has shape \(5\), but images have \(n, height/,
  ],
  [
    'a negative label',
    'images-u1.npy',
    'labels-negative.npy',
    'DATA_CORRUPT',
    /label -1 for image 2, but labels go from 0/,
  ],
  [
    'an archive of several',
    'stored.npz',
    'labels-u1.npy',
    'DATA_CORRUPT',
    /one array alone; its arrays are x_train, y_train/,
  ],
  ['no array', 'make.py', 'labels-u1.npy', 'DATA_CORRUPT', /make\.py is no \.npy file/],
  ['a missing file', 'nothing.npy', 'labels-u1.npy', 'DATA_NOT_FOUND', /^Cannot read .*nothing\.npy: ENOENT/],
  ['a folder', '.', 'labels-u1.npy', 'DATA_NOT_FOUND', /it is a folder, not a file/],
] as const) {
  test(`arrays: ${what} is named`, async (t) => {
    await t.throwsAsync(load(images, labels), { name: 'CandlewickError', code, message })
  })
}

test('arrays of other names are told those that there are', async (t) => {
  const file = fixture('deflated.npz')
  await t.throwsAsync(npyDataset({ file, images: 'x', labels: 'y_train' }), {
    code: 'DATA_CORRUPT',
    message: /deflated\.npz has no array "x"; its arrays are x_train, y_train, x_test, y_test: name/,
  })
  await t.throwsAsync(npyDataset({ file: fixture('images-u1.npy'), images: 'x', labels: 'y' }), {
    code: 'DATA_CORRUPT',
    message: /is no \.npz archive/,
  })
  await t.throwsAsync(npyDataset({ file, images: 'x_train', labels: 'y_test' }), {
    code: 'DATA_MISMATCH',
    message: /holds 5 images, but .*y_test\.npy\) holds 2 labels/,
  })
  await t.throwsAsync(load('images-u1.npy', 'labels-u1.npy', { classes: ['a'] }), {
    message: /labels up to 100, but 1 name/,
  })
})

/** A fixture with other bytes. */
async function changed(t: ExecutionContext, name: string, change: (bytes: Buffer) => Buffer): Promise<string> {
  const path = join(await temporaryFolder(t), name)
  await writeFile(path, change(await readFile(fixture(name))))
  return path
}

const written = (write: (bytes: Buffer) => unknown) => (bytes: Buffer) => {
  write(bytes)
  return bytes
}

const flipped = (at: number) => (bytes: Buffer) => {
  const place = at < 0 ? bytes.length + at : at
  bytes[place] = (bytes[place] as number) ^ 0xff
  return bytes
}

for (const [what, change, message] of [
  ['cut short', (bytes) => bytes.subarray(0, -7), /promises 5 x 3 x 4 values of \|u1, 60 bytes, but holds 53/],
  ['too long', (bytes) => Buffer.concat([bytes, bytes]), /60 bytes, but holds 248/],
  ['cut within its header', (bytes) => bytes.subarray(0, 40), /ends after 40 bytes, within its header/],
  ['empty', (bytes) => bytes.subarray(0, 0), /ends after 0 bytes/],
  ['of a later version', written((bytes) => bytes.writeUInt8(4, 6)), /is of version 4; versions 1 to 3/],
  ['of an absurd header', written((bytes) => bytes.fill(2, 6, 7).fill(0xff, 8, 12)), /promises a header of 4294967295/],
  [
    'of records',
    (bytes) => Buffer.from(bytes.toString('latin1').replace("'|u1'", '[(1)]'), 'latin1'),
    /records of several fields/,
  ],
  [
    'of texts',
    (bytes) => Buffer.from(bytes.toString('latin1').replace('|u1', '<U1'), 'latin1'),
    /values of type <U1, which are no/,
  ],
  [
    'without a shape',
    (bytes) => Buffer.from(bytes.toString('latin1').replace('shape', 'spahe'), 'latin1'),
    /without fortran_order/,
  ],
] satisfies [string, (bytes: Buffer) => Buffer, RegExp][]) {
  test(`an array that is ${what} is refused`, async (t) => {
    const images = await changed(t, 'images-u1.npy', change)
    await t.throwsAsync(npyDataset({ images, labels: fixture('labels-u1.npy') }), { code: 'DATA_CORRUPT', message })
  })
}

for (const [what, name, change, message] of [
  [
    'without its end',
    'deflated.npz',
    (bytes) => bytes.subarray(0, 900),
    /is a zip file that is cut short|damaged zip file/,
  ],
  [
    'with another byte in a stored array',
    'stored.npz',
    flipped(250),
    /x_train\.npy, which is not what the archive says/,
  ],
  [
    'with another byte in a deflated array',
    'deflated.npz',
    flipped(120),
    /damaged zip file|not what the archive says|no \.npy file|header/,
  ],
  ['with a damaged list', 'stored.npz', written((bytes) => bytes.fill(0, bytes.indexOf('PK\x01\x02'))), /zip file/],
  [
    'with a place beyond it',
    'stored.npz',
    written((bytes) => bytes.fill(0x7f, bytes.length - 6, bytes.length - 3)),
    /is a damaged zip file/,
  ],
] satisfies [string, string, (bytes: Buffer) => Buffer, RegExp][]) {
  test(`an archive ${what} is refused`, async (t) => {
    const file = await changed(t, name, change)
    await t.throwsAsync(npyDataset({ file, images: 'x_train', labels: 'y_train' }), { code: 'DATA_CORRUPT', message })
  })
}

test('an archive may have comments, fields that nobody knows, and wide fields', async (t) => {
  const [file, folder] = [fixture('wide.npz'), await temporaryFolder(t)]
  // The images are there twice: as labels, they are read as far as their header.
  await t.throwsAsync(npyDataset({ file, images: 'grey', labels: 'other' }), {
    message: /other\.npy\) has shape \(5, 3, 4\)/,
  })
  await t.throwsAsync(npyDataset({ file, images: 'x', labels: 'other' }), { message: /its arrays are other, grey:/ })
  const image = await readFile(file)
  const one = join(folder, 'one.npz')
  await writeFile(one, Buffer.from(image.toString('latin1').replaceAll('other.npy', 'other.txt'), 'latin1'))
  const data = await npyDataset({ images: one, labels: fixture('labels-u1.npy') })
  t.deepEqual(data.images().data, bytes(60))
})

/** An array as numpy would write it. */
function array(descr: string, shape: number[], values: Uint8Array): Buffer {
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`.padEnd(117)
  return Buffer.concat([Buffer.from('\x93NUMPY\x01\0\x76\0', 'latin1'), Buffer.from(`${header}\n`), values])
}

test('arrays may be longer than what is read at a time', async (t) => {
  const [folder, count] = [await temporaryFolder(t), 40_000]
  const [images, labels] = ['images.npy', 'labels.npy'].map((name) => join(folder, name)) as [string, string]
  const [pixels, numbers] = [bytes(count * 21), BigInt64Array.from({ length: count }, (_, i) => BigInt(i % 1000))]
  await writeFile(images, array('|u1', [count, 7, 1, 3], pixels))
  await writeFile(labels, array('<i8', [count], new Uint8Array(numbers.buffer)))
  const data = await npyDataset({ images, labels })
  const turned = pixels.map((_, i) => {
    const [image, channel, place] = [Math.floor(i / 21), Math.floor(i / 7) % 3, i % 7]
    return pixels[image * 21 + place * 3 + channel] as number
  })
  t.true(Buffer.from(data.images().data as Uint8Array).equals(Buffer.from(turned)))
  t.deepEqual([...data.labels()], Array.from(numbers, Number))
  numbers[35_000] = 70_000n
  await writeFile(labels, array('<i8', [count], new Uint8Array(numbers.buffer)))
  await t.throwsAsync(npyDataset({ images, labels }), { message: /has label 70000 for image 35000, but labels go/ })
  await writeFile(labels, array('<f4', [count], new Uint8Array(4 * count)))
  await t.throwsAsync(npyDataset({ images, labels }), { message: /values of type <f4, but labels are integers/ })
})

test('the wide fields of archives beyond 4 GB are read', async (t) => {
  const file = await changed(t, 'stored.npz', (bytes) => {
    const [rest, end] = [bytes.subarray(0, -22), bytes.subarray(-22)]
    const wide = Buffer.alloc(56 + 20)
    wide.write('PK\x06\x06')
    for (const [at, value] of [
      [24, end.readUInt16LE(8)],
      [32, end.readUInt16LE(10)],
      [40, end.readUInt32LE(12)],
      [48, end.readUInt32LE(16)],
    ] as const) {
      wide.writeBigUInt64LE(BigInt(value), at)
    }
    wide.write('PK\x06\x07', 56)
    wide.writeBigUInt64LE(BigInt(rest.length), 64)
    return Buffer.concat([rest, wide, end.fill(0xff, 8, 20)])
  })
  const data = await npyDataset({ file, images: 'x_train', labels: 'y_train' })
  t.deepEqual([data.images().data, [...data.labels()]], [colour, labels])
})

test('no byte of an archive, changed, ends in anything but an error of its own or the same images', async (t) => {
  const folder = await temporaryFolder(t)
  const whole = await readFile(fixture('deflated.npz'))
  for (let at = 0; at < whole.length; at += 3) {
    const file = join(folder, `${at}.npz`)
    await writeFile(file, flipped(at)(Buffer.from(whole)))
    try {
      const data = await npyDataset({ file, images: 'x_train', labels: 'y_train' })
      t.deepEqual(data.images().data, colour, `byte ${at}`)
    } catch (error) {
      t.is((error as Error).name, 'CandlewickError', `byte ${at}: ${error}`)
      t.not((error as { code: string }).code, 'INTERNAL', `byte ${at}: ${error}`)
    }
  }
})

test('loading arrays can be aborted', async (t) => {
  const reason = new Error('enough')
  await t.throwsAsync(load('images-u1.npy', 'labels-u1.npy', { signal: AbortSignal.abort(reason) }), { is: reason })
  for (const last of [1, 2, 3]) {
    let looks = 0
    const throwIfAborted = () => {
      if (++looks === last) throw reason
    }
    const signal = { aborted: false, addEventListener() {}, removeEventListener() {}, throwIfAborted }
    const options = { signal: signal as unknown as AbortSignal }
    await t.throwsAsync(load('images-u1.npy', 'labels-u1.npy', options), { is: reason }, `${last} looks`)
  }
})

test.serial('files of arrays are closed, whether they could be used or not', async (t) => {
  const folder = await temporaryFolder(t)
  for (const name of ['deflated.npz', 'stored.npz', 'images-u1.npy', 'labels-u1.npy', 'labels-negative.npy']) {
    await writeFile(join(folder, name), await readFile(fixture(name)))
  }
  const at = (name: string) => join(folder, name)
  await npyDataset({ file: at('stored.npz'), images: 'x_train', labels: 'y_train' })
  await npyDataset({ images: at('images-u1.npy'), labels: at('labels-u1.npy') })
  for (const options of [
    { images: at('images-u1.npy'), labels: at('labels-negative.npy') },
    { images: at('labels-u1.npy'), labels: at('labels-u1.npy') },
    { images: at('images-u1.npy'), labels: at('nothing.npy') },
    { file: at('deflated.npz'), images: 'x_train', labels: 'nothing' },
    { file: at('deflated.npz'), images: 'x_train', labels: 'y_test' },
  ]) {
    await t.throwsAsync(npyDataset(options), { name: 'CandlewickError' })
  }
  for (let wait = 0; wait < 20 && (await openIn(folder)) > 0; wait++) await sleep(10) // closing takes a turn
  t.is(await openIn(folder), 0)
})

/** How many files in `dir` this process has open. */
async function openIn(dir: string): Promise<number> {
  const numbers = await readdir('/proc/self/fd')
  const paths = await Promise.all(numbers.map((number) => readlink(`/proc/self/fd/${number}`).catch(() => '')))
  return paths.filter((path) => path.startsWith(dir)).length
}
