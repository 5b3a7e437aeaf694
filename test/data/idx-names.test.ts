/** IDX files as MNIST's relatives name them. */

import { copyFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { idxDataset } from 'candlewick'
import { bytes, idx, idxFolder } from '../idx-folder.js'

const names = [
  'train-images-idx3-ubyte.gz',
  'train-labels-idx1-ubyte.gz',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
]

/** The folder's files under other names. */
async function renamed(t: ExecutionContext, name: (name: string) => string, keep = false): Promise<string> {
  const dir = await idxFolder(t)
  for (const old of names) await (keep ? copyFile : rename)(join(dir, old), join(dir, name(old)))
  return dir
}

test('a prefix is found where there is one, and EMNIST calls its test images so', async (t) => {
  for (const name of [
    (name: string) => `emnist-letters-${name.replace('t10k', 'test')}`,
    (name: string) => `k49-${name}`,
    (name: string) => `emnist-letters-${name.replace('t10k', 'test').replace('-idx', '.idx')}`,
    (name: string) => name.replace('t10k', 'test'),
  ]) {
    const { train, test } = await idxDataset({ dir: await renamed(t, name) })
    t.deepEqual([train.images().data, test.images().data], [bytes(120), bytes(60)], name('train'))
  }
})

test('of several prefixes, one is to be named', async (t) => {
  const emnist = (part: string) => (name: string) => `emnist-${part}-${name}`
  const dir = await renamed(t, emnist('letters'))
  for (const old of names) await copyFile(join(dir, emnist('letters')(old)), join(dir, emnist('digits')(old)))
  const message = /several data sets in .*; say which by prefix, one of emnist-digits, emnist-letters\.$/
  await t.throwsAsync(idxDataset({ dir }), { code: 'INVALID_ARGUMENT', message })
  for (const prefix of ['emnist-digits', 'emnist-letters-']) t.is((await idxDataset({ dir, prefix })).train.length, 20)
  await t.throwsAsync(idxDataset({ dir, prefix: 'emnist-mnist' }), {
    code: 'DATA_NOT_FOUND',
    message: /^There is no emnist-mnist-train-images-idx3-ubyte\.gz \(or /,
  })
})

test("MNIST's own names need no prefix, whatever else is there", async (t) => {
  const dir = await renamed(t, (name) => `k49-${name}`, true)
  t.is((await idxDataset({ dir })).train.length, 20)
  t.is((await idxDataset({ dir, prefix: 'k49' })).test.length, 10)
})

test('classes follow from the labels, and may be named', async (t) => {
  const dir = await idxFolder(t, {
    'train-labels-idx1-ubyte.gz': idx(
      [20],
      Uint8Array.from({ length: 20 }, (_, i) => 1 + (i % 26)),
    ),
  })
  const { train, test } = await idxDataset({ dir })
  t.deepEqual([train.counts().length, train.counts()[0], test.counts().length], [21, 0, 3])
  const classes = ['', ...'abcdefghijklmnopqrstuvwxyz'].map((letter) => letter || 'none')
  const named = await idxDataset({ dir, classes })
  t.deepEqual([named.train.classes, named.test.classes], [classes, classes])
  await t.throwsAsync(idxDataset({ dir, classes: classes.slice(0, 20) }), { message: /labels up to 20, but 20 names/ })
})
