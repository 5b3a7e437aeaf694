/** The picture of augmented images: its bytes, and the command that writes it. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { augmentImages, idxDataset, randomCrop, randomErasing, randomFlip } from 'candlewick'
import { sheet } from '#dist/cli/sheet.js'
import { png } from '#dist/png.js'
import { idxFolder, temporaryFolder } from '../idx-folder.js'
import { lenetFolder } from '../lenet-folder.js'
import { candlewick } from '../run-command.js'

/** The rows of a PNG, each behind the number of its filter. */
function rowsOf(t: ExecutionContext, file: Buffer): Buffer[] {
  const [width, height, channels] = [file.readUInt32BE(16), file.readUInt32BE(20), file[25] === 2 ? 3 : 1]
  t.is(file.toString('latin1', 37, 41), 'IDAT')
  const rows = inflateSync(file.subarray(41, 41 + file.readUInt32BE(33)))
  const length = 1 + width * channels
  t.is(rows.length, height * length)
  return Array.from({ length: height }, (_, row) => rows.subarray(row * length, (row + 1) * length))
}

test('a picture of one pixel begins and ends as those of others', (t) => {
  const file = png({ width: 1, height: 1, channels: 1, pixels: Uint8Array.of(255) })
  // The signature and the header of 1x1 greys, and the end, each with its checksum.
  t.is(file.toString('base64', 0, 33), 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptV')
  t.is(file.toString('hex', file.length - 12), '0000000049454e44ae426082')
  t.deepEqual(rowsOf(t, file), [Buffer.of(0, 255)])
})

test('colours follow one another pixel by pixel, and images stand in rows and columns', (t) => {
  const image = (first: number) => ({
    data: Uint8Array.from({ length: 24 }, (_, i) => first + i), // 2 images of 3 channels of 2x2
    shape: [2, 3, 2, 2],
  })
  const picture = sheet([image(10), image(100)], 2)
  t.deepEqual([picture.width, picture.height, picture.channels], [4 + 2 * (4 + 4), 4 + 2 * (4 + 4), 3])
  const pixel = (row: number, column: number) => [...picture.pixels.slice((row * 20 + column) * 3).slice(0, 3)]
  t.deepEqual(pixel(3, 4), [255, 255, 255])
  t.deepEqual(
    [pixel(4, 4), pixel(5, 5)],
    [
      [10, 14, 18],
      [10, 14, 18],
    ],
  )
  t.deepEqual(
    [pixel(4, 6), pixel(6, 4)],
    [
      [11, 15, 19],
      [12, 16, 20],
    ],
  )
  t.deepEqual(
    [pixel(12, 4), pixel(4, 12)],
    [
      [22, 26, 30],
      [100, 104, 108],
    ],
  )
  t.throws(() => sheet([{ data: new Uint8Array(8), shape: [1, 2, 2, 2] }], 1), { message: /these have 2/ })
  const [row] = rowsOf(t, png(picture)).slice(4)
  t.deepEqual([...(row ?? [])].slice(1 + 12, 1 + 15), [10, 14, 18])
})

test('the command shows images as they are, and beside them what fit makes of them in each epoch', async (t) => {
  const dir = await idxFolder(t)
  const file = join(await temporaryFolder(t), 'sheet.png')
  const args = ['--sheet', file, '--augment', 'flip,crop:1,erasing:1', '--count', '3', '--seed', '7', '--data', dir]
  const { end, stdout, stderr } = await candlewick('augment', ...args)
  t.deepEqual([end, stderr], [0, ''])
  t.is(stdout, `${file}: 3 images, 9 versions of each by flip,crop:1,erasing:1, seed 7\n`)
  const { train } = await idxDataset({ dir })
  const augment = [randomFlip(), randomCrop({ padding: 1 }), randomErasing({ probability: 1 })]
  const columns = [train.images(0, 3)]
  for (let epoch = 1; epoch <= 9; epoch++) columns.push(augmentImages(train, augment, { seed: 7, epoch, end: 3 }))
  t.deepEqual(await readFile(file), png(sheet(columns, 3)))
})

test('a seed that nobody chose is told, and gives the same again', async (t) => {
  const dir = await lenetFolder(t, 20)
  const file = join(await temporaryFolder(t), 'sheet.png')
  const run = async (...args: string[]) => {
    const { stdout } = await candlewick('augment', '--sheet', file, '--data', dir, '--json', ...args)
    return { told: JSON.parse(stdout), content: await readFile(file) }
  }
  const first = await run('--count', '100')
  t.is(first.told.images, 20, 'no more than there are')
  t.deepEqual(first.told.augment, [randomFlip(), randomCrop({ padding: 2 }), randomErasing()])
  const again = await run('--count', '100', '--seed', `${first.told.seed}`)
  t.deepEqual(again, first)
})

test('where it cannot be written, the sentence says so', async (t) => {
  const { end, stderr } = await candlewick('augment', '--sheet', '/nowhere/a.png', '--data', await lenetFolder(t, 20))
  t.is(end, 1)
  t.regex(stderr, /^candlewick: Cannot write the picture: ENOENT.*; name a file in a folder that is there\.\n$/)
})
