/** From a folder of pictures to an answer, in this process and in others. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { adamW, conv2d, dense, fit, imageFolder, modernLeNet, Sequential } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'
import { candlewick, shell } from '../run-command.js'
import { folderOf, plain, stripes } from './shapes.js'

/** A file of a network that tells stripes apart, and the folder that it was trained on. */
async function trained(t: ExecutionContext) {
  const dir = await folderOf(t, stripes(12))
  const { train, classes } = await imageFolder(dir, { size: 16, fit: 'contain', background: [0, 0, 0] })
  const net = modernLeNet({ classes: classes.length })
  await net.initialize({ inputShape: train.imageShape, seed: 1 })
  for await (const _ of fit(net, train, {
    epochs: 12,
    batchSize: 8,
    optimizer: adamW({ learningRate: 0.003 }),
    seed: 1,
  }));
  const file = join(await temporaryFolder(t), 'net.safetensors')
  await net.saveParameters(file)
  return { dir, net, file }
}

test('a network knows its classes and its pictures, in another process too', async (t) => {
  const { dir, net, file } = await trained(t)
  t.deepEqual(net.classes, ['across', 'down'])
  const [across, down] = [join(dir, 'across/5.png'), join(dir, 'down/5.png')]
  const answers = await net.classify([across, down])
  t.deepEqual(
    answers.map((one) => one.map(({ label }) => label)),
    [
      ['across', 'down'],
      ['down', 'across'],
    ],
  )
  const loaded = await Sequential.load(pathToFileURL(file))
  t.deepEqual([loaded.classes, loaded.pictures], [net.classes, { fit: 'contain', background: [0, 0, 0] }])
  t.like(loaded.trained, { images: 24, epochs: 12, batchSize: 8, seed: 1, optimizer: { kind: 'adamW' } })
  t.deepEqual(Object.keys(loaded.trained?.figures ?? {}), ['loss', 'trainAcc', 'learningRate'])
  t.deepEqual(await loaded.classify(across), answers[0])
  t.deepEqual(await loaded.classify(pathToFileURL(across)), answers[0])
  t.deepEqual(await loaded.classify(await readFile(across)), answers[0])
  t.deepEqual(await loaded.classify([]), [])
  t.is((await loaded.classify(across, { top: 1 })).length, 1)
  const { train } = await imageFolder(dir, { size: 16, fit: 'contain', background: [0, 0, 0] })
  const first = train.images(0, 1)
  t.deepEqual(
    await net.classify({ data: first.data, shape: [3, 16, 16] }),
    await net.classify(join(dir, 'across/0.png')),
  )
  const { stdout } = await candlewick('predict', file, across, down, '--json')
  t.deepEqual(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [across, down].map((picture, i) => ({ picture, answers: answers[i] })),
  )
})

test('a network is saved to memory and loaded from there', async (t) => {
  const { net, dir } = await trained(t)
  const bytes = await net.serialize()
  const loaded = await Sequential.load(bytes)
  const picture = join(dir, 'down/1.png')
  t.deepEqual(await loaded.classify(picture), await net.classify(picture))
  t.deepEqual((await (await net.clone()).classify(picture))[0]?.label, 'down')
  const other = modernLeNet({ classes: 2 })
  await other.initialize({ inputShape: [3, 16, 16] })
  await other.loadParameters(bytes)
  t.deepEqual(await other.parameters(), await net.parameters())
  await t.throwsAsync(Sequential.load(bytes.subarray(0, 1000)), { code: 'CHECKPOINT_INVALID' })
  await t.throwsAsync(Sequential.load(new URL('ftp://host/net')), { code: 'INVALID_ARGUMENT', message: /a file: URL/ })
})

test('what cannot be classified is refused with a sentence', async (t) => {
  const { net, dir } = await trained(t)
  const broken = join(dir, 'broken.png')
  await writeFile(broken, (await readFile(join(dir, 'down/1.png'))).subarray(0, 60))
  await t.throwsAsync(net.classify(broken), {
    code: 'DATA_CORRUPT',
    message: /broken\.png cannot be read: .*; give a whole JPEG/,
  })
  await t.throwsAsync(net.classify(join(dir, 'none.png')), { code: 'DATA_NOT_FOUND', message: /there is no such file/ })
  await t.throwsAsync(net.classify(Buffer.from('text')), {
    code: 'DATA_CORRUPT',
    message: /A picture of 4 bytes cannot be read/,
  })
  await t.throwsAsync(net.classify(3 as never), { code: 'INVALID_ARGUMENT' })
  await t.throwsAsync(net.classify([join(dir, 'down/1.png'), 3 as never]), {
    code: 'INVALID_ARGUMENT',
    message: /pictures\[1\]/,
  })
  const odd = new Sequential([dense({ units: 2 })])
  await odd.initialize({ inputShape: [2, 4, 4] })
  await t.throwsAsync(odd.classify(plain(1)), { code: 'INVALID_SHAPE', message: /2 channels/ })
})

test('the command trains on a folder, evaluates and predicts', async (t) => {
  const dir = await folderOf(t, { ...stripes(12), 'down/x.jpg': 'no picture' })
  const file = join(await temporaryFolder(t), 'net.safetensors')
  const args = [
    '--size',
    '16',
    '--epochs',
    '12',
    '--batch-size',
    '8',
    '--seed',
    '1',
    '--augment',
    'none',
    '--save',
    file,
  ]
  const train = await candlewick('train', dir, ...args)
  t.is(train.end, 0, train.stderr)
  t.regex(train.stdout, /^22 pictures of 2 classes \(across, down\), 2 to validate by$/m)
  t.regex(train.stdout, /^.*x\.jpg left out: it is neither JPEG, PNG, WebP, BMP nor GIF$/m)
  t.regex(train.stdout, /^epoch 12, loss .*, train acc .*, val acc .*$/m)
  const evaluated = await candlewick('evaluate', file, dir)
  t.regex(evaluated.stdout, /^24 pictures, loss .*, acc (1\.000|0\.9\d\d)\n/)
  t.regex(evaluated.stdout, /^across +\d\.\d{3} +\d\.\d{3} +\d\.\d{3} +12$/m)
  const predicted = await candlewick('predict', file, join(dir, 'across', '*.png'), join(dir, 'down'), '--top', '1')
  t.is(predicted.end, 1)
  t.is(predicted.stdout.split('\n').filter((line) => /across\/\d+\.png: across [01]\.\d\d$/.test(line)).length, 12)
  t.is(predicted.stderr.split('\n').filter((line) => /x\.jpg cannot be read/.test(line)).length, 1)
  const piped = await shell(`$CANDLEWICK predict ${file} - < ${join(dir, 'down/3.png')}`)
  t.regex(piped.stdout, /^-: down [01]\.\d\d, across [01]\.\d\d\n$/)
})

test('a network of a file fits the pictures, not the images of the text', async (t) => {
  const dir = await folderOf(t, stripes(6))
  const [net, file] = [join(dir, 'net.json'), join(await temporaryFolder(t), 'net.safetensors')]
  await writeFile(net, JSON.stringify([conv2d({ channels: 2, kernelSize: 30 }), dense({ units: 2 })]))
  const args = ['--net', net, '--size', '32', '--epochs', '1', '--seed', '1', '--save', file]
  const { end, stderr } = await candlewick('train', dir, ...args)
  t.deepEqual([end, stderr], [0, ''])
  t.deepEqual((await Sequential.load(file)).layers[0]?.outputShape, [1, 2, 3, 3])
})

test('the command looks at a folder', async (t) => {
  const files = { ...stripes(3, 'train/'), ...stripes(1, 'test/'), 'train/down/x.png': '' }
  const dir = await folderOf(t, files)
  const { stdout } = await candlewick('data', dir)
  t.regex(stdout, /: 9 pictures of 2 classes$/m)
  t.regex(stdout, /^train: across 3, down 4$/m)
  t.regex(stdout, /^test: across 1, down 1$/m)
  t.regex(stdout, /^widths 20 to 22, 21 in the middle; heights 20 to 22, 21 in the middle; 0 grey$/m)
  t.regex(stdout, /^fewer than 20 pictures to train on: across, down$/m)
  t.regex(stdout, /^broken: .*x\.png: the file is empty$/m)
  t.regex(stdout, /^the same picture: .*train\/across\/0\.png, .*test\/across\/0\.png$/m)
  const json = JSON.parse((await candlewick('data', dir, '--json')).stdout)
  t.like(json, { classes: ['across', 'down'], counts: { train: [3, 4], test: [1, 1] }, grey: 0, loose: 0 })
  t.regex((await candlewick('data', join(dir, 'none'))).stderr, /there is no such folder/)
})

test('broken pictures among others are named in their places, and the others answered as by themselves', async (t) => {
  const dir = await folderOf(t, { ...stripes(6), 'down/1.png': 'no picture', 'down/2.png': '' })
  const file = join(await temporaryFolder(t), 'net.safetensors')
  const args = [dir, '--size', '16', '--epochs', '1', '--seed', '1', '--save', file]
  const { stderr: refusal } = await candlewick('train', ...args)
  t.regex(refusal, /: down has 4 pictures, too few to keep a share of 0\.1 of them out .*, or 0 for none\.\n$/)
  t.is((await candlewick('train', ...args, '--validation', '0')).end, 0)
  const paths = ['down/1.png', 'across/0.png', 'down/2.png', 'down/0.png'].map((path) => join(dir, path))
  const { end, stdout, stderr } = await candlewick('predict', file, '--json', ...paths)
  t.deepEqual([end, stderr], [1, 'candlewick: 2 pictures could not be read.\n'])
  const told = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.deepEqual(
    told.map(({ picture }) => picture),
    paths,
  )
  t.regex(told[0].error, /1\.png cannot be read: it is neither/)
  t.regex(told[2].error, /2\.png cannot be read: the file is empty/)
  const net = await Sequential.load(file)
  for (const place of [1, 3]) t.deepEqual(told[place].answers, await net.classify(paths[place] as string))
  const alone = await candlewick('predict', file, paths[0] as string)
  t.deepEqual([alone.end, alone.stdout], [1, ''])
})
