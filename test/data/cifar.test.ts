/** CIFAR's binary files, some records of them. */

import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { cifar10, cifar100 } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'

/** Records of these labels, each with its own number in its pixels. */
function records(labels: readonly number[][], first = 0): Buffer {
  return Buffer.concat(labels.map((own, i) => Buffer.concat([Buffer.from(own), image(first + i)])))
}

const image = (number: number) => Uint8Array.from({ length: 3072 }, (_, i) => (i * 7 + number) % 256)

const kinds = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck']

async function folder10(t: ExecutionContext, changes: Record<string, Buffer | string> = {}): Promise<string> {
  const dir = await temporaryFolder(t)
  const batches = [1, 2, 3, 4, 5].map((n) => [`data_batch_${n}.bin`, records([[n], [n + 4]], 2 * n)] as const)
  // As the archive has it, with an empty line at its end.
  const files = {
    'batches.meta.txt': `${kinds.join('\n')}\n\n`,
    'test_batch.bin': records([[9]]),
    ...Object.fromEntries(batches),
  }
  for (const [name, content] of Object.entries({ ...files, ...changes })) await writeFile(join(dir, name), content)
  return dir
}

test('CIFAR-10 has its batches one behind the other, and its names', async (t) => {
  const { train, test } = await cifar10({ dir: await folder10(t) })
  t.deepEqual([train.length, test.length, train.imageShape], [10, 1, [3, 32, 32]])
  t.deepEqual([...train.labels()], [1, 5, 2, 6, 3, 7, 4, 8, 5, 9])
  t.deepEqual(train.images(3, 4).data, image(5))
  t.deepEqual([train.classes, test.classes], [kinds, kinds])
})

test('a piece may end within a record', async (t) => {
  const many = Array.from({ length: 200 }, (_, i) => [i % 10]) // beyond what is read at a time
  const { train } = await cifar10({ dir: await folder10(t, { 'data_batch_3.bin': records(many) }) })
  t.is(train.length, 208)
  for (let i = 0; i < 200; i++) t.deepEqual(train.images(4 + i, 5 + i).data, image(i))
})

test('the folder may be the one that the archive was unpacked in', async (t) => {
  const [dir, outer] = [await folder10(t), await temporaryFolder(t)]
  await mkdir(join(outer, 'cifar-10-batches-bin'))
  for (const name of ['batches.meta.txt', 'test_batch.bin', ...[1, 2, 3, 4, 5].map((n) => `data_batch_${n}.bin`)]) {
    await copyFile(join(dir, name), join(outer, 'cifar-10-batches-bin', name))
  }
  t.is((await cifar10({ dir: outer })).train.length, 10)
})

const named = (count: number) => Array.from({ length: count }, (_, i) => `name ${i}`).join('\n')

async function folder100(t: ExecutionContext): Promise<string> {
  const dir = await temporaryFolder(t)
  await writeFile(
    join(dir, 'train.bin'),
    records([
      [19, 99],
      [0, 5],
      [7, 50],
    ]),
  )
  await writeFile(join(dir, 'test.bin'), records([[3, 4]]))
  await writeFile(join(dir, 'fine_label_names.txt'), named(100))
  await writeFile(join(dir, 'coarse_label_names.txt'), named(20))
  return dir
}

test('CIFAR-100 has two labels an image', async (t) => {
  const dir = await folder100(t)
  const fine = await cifar100({ dir })
  t.deepEqual([[...fine.train.labels()], [...fine.test.labels()]], [[99, 5, 50], [4]])
  t.is(fine.train.classes?.length, 100)
  const coarse = await cifar100({ dir, labels: 'coarse' })
  t.deepEqual([[...coarse.train.labels()], coarse.train.classes?.length], [[19, 0, 7], 20])
  t.deepEqual(coarse.train.images().data, fine.train.images().data)
  t.deepEqual(fine.train.images(1, 2).data, image(1))
  await t.throwsAsync(cifar100({ dir, labels: 'both' as never }), {
    message: /"fine" or "coarse" for labels, .* "both"/,
  })
})

for (const [what, changes, message] of [
  [
    'a file of a half record',
    { 'data_batch_2.bin': Buffer.alloc(3074) },
    /batch_2\.bin has 3074 bytes, .* records of 3073/,
  ],
  ['an empty file', { 'test_batch.bin': Buffer.alloc(0) }, /test_batch\.bin has 0 bytes/],
  [
    'a label that there is not',
    { 'data_batch_5.bin': records([[3], [10]]) },
    /batch_5\.bin has label 10 for its image 1, but/,
  ],
  ['a name too few', { 'batches.meta.txt': kinds.slice(1).join('\n') }, /has 9 names of classes instead of 10/],
  ['a name twice', { 'batches.meta.txt': [...kinds.slice(1), 'dog'].join('\n') }, /instead of 10 different ones/],
] satisfies [string, Record<string, Buffer | string>, RegExp][]) {
  test(`CIFAR: ${what} is named`, async (t) => {
    await t.throwsAsync(cifar10({ dir: await folder10(t, changes) }), { code: 'DATA_CORRUPT', message })
  })
}

test('what is not there is named', async (t) => {
  const dir = await folder10(t)
  await rm(join(dir, 'data_batch_4.bin'))
  const missing = {
    code: 'DATA_NOT_FOUND',
    message: /^There is no data_batch_4\.bin in .*binary version .*cifar-10-batches-bin/,
  }
  await t.throwsAsync(cifar10({ dir }), missing)
  await t.throwsAsync(cifar100({ dir: '/nowhere' }), {
    code: 'DATA_NOT_FOUND',
    message: /no fine_label_names\.txt in \/now/,
  })
})

test('loading CIFAR can be aborted', async (t) => {
  const [dir, reason] = [await folder10(t), new Error('enough')]
  await t.throwsAsync(cifar10({ dir, signal: AbortSignal.abort(reason) }), { is: reason })
  let looks = 0
  const throwIfAborted = () => {
    if (++looks === 3) throw reason
  }
  const signal = { aborted: false, addEventListener() {}, removeEventListener() {}, throwIfAborted } as unknown
  await t.throwsAsync(cifar10({ dir, signal: signal as AbortSignal }), { is: reason })
})
