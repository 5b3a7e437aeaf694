/** What the command is told of a training: in files, in other words than the preset's, and to go on. */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { conv2d, dense, idxDataset, Sequential } from 'candlewick'
import { progressNote } from '#dist/cli/progress-note.js'
import { temporaryFolder } from '../idx-folder.js'
import { lenetFolder } from '../lenet-folder.js'
import { candlewick, finish, startCandlewick } from '../run-command.js'

const seeded = ['--seed', '1', '--device', 'cpu']

async function train(t: ExecutionContext, ...args: string[]): Promise<string[]> {
  const { end, stdout, stderr } = await candlewick('train', ...args)
  t.deepEqual([end, stderr], [0, ''])
  return stdout.trimEnd().split('\n')
}

test('a training that Ctrl-C ends says how to go on, and then ends as if it never had', async (t) => {
  const [data, folder] = [await lenetFolder(t, 3000), await temporaryFolder(t)]
  const at = (name: string) => join(folder, name)
  const args = ['--data', data, ...seeded, '--batch-size', '16', '--epochs', '4', '--preset', 'modern']
  const whole = await train(t, ...args, '--save', at('whole'))
  const child = startCandlewick(['train', ...args, '--checkpoint', at('run'), '--save', at('rest')])
  let seen = ''
  child.stdout?.on('data', (text) => {
    seen += text
    if (seen.includes('epoch 2,')) child.kill('SIGINT')
  })
  const { end, stderr } = await finish(child)
  t.deepEqual([end, stderr], [130, `Go on with --resume ${at('run')}.\nInterrupted.\n`])
  const rest = await train(t, ...args, '--resume', at('run'), '--save', at('rest'))
  t.deepEqual(await readFile(at('rest')), await readFile(at('whole')))
  const figures = (lines: string[]) =>
    lines.filter((line) => line.startsWith('epoch')).map((line) => line.replace(/, time.*/, ''))
  t.deepEqual(figures(rest), figures(whole).slice(-figures(rest).length))
  t.is(rest[1], `going on from ${at('run')}`)
})

test('options come from a file, of which the command line has the last word', async (t) => {
  const [data, folder] = [await lenetFolder(t), await temporaryFolder(t)]
  const config = join(folder, 'config.json')
  const written = { epochs: 3, optimizer: 'adamw', 'learning-rate': 0.003, schedule: 'cosine', json: true, data }
  await writeFile(config, JSON.stringify(written))
  const lines = await train(t, '--config', config, '--epochs', '2', ...seeded)
  t.is(lines.length, 2)
  const said = ['--epochs', '2', '--optimizer', 'adamw', '--learning-rate', '0.003', '--schedule', 'cosine']
  const plain = await train(t, ...said, '--json', '--data', data, ...seeded)
  const losses = (all: string[]) => all.map((line) => JSON.parse(line).loss)
  t.deepEqual(losses(lines), losses(plain))
  const printed = (await train(t, '--config', config, '--print-config')).join('\n')
  t.like(JSON.parse(printed), { ...written, 'batch-size': 256, preset: 'lenet' })
})

test('--normalize puts the statistics of the images that are trained on into the network, and so into its file', async (t) => {
  const [data, file] = [await lenetFolder(t), join(await temporaryFolder(t), 'net')]
  await train(t, '--data', data, ...seeded, '--epochs', '1', '--normalize', '--save', file)
  const { mean, deviation } = await (await idxDataset({ dir: data })).train.statistics()
  const { normalization } = await Sequential.load(file)
  for (const [found, expected] of [
    [normalization?.mean[0], mean[0]],
    [normalization?.deviation[0], deviation[0]],
  ])
    t.true(Math.abs((found as number) - (expected as number)) < 1e-6, `${found} ${expected}`)
})

for (const [content, message] of [
  ['{"epocs": 1}', /Unknown option "epocs" in .*; it takes epochs, batch-size, /],
  ['{"config": "x"}', /Unknown option "config"/],
  ['[]', /it holds no object/],
  ['{', /it is no JSON/],
  ['{"epochs": null}', /Expected a string or a number for "epochs" in .*, but received null/],
  ['{"json": 1}', /Expected true or false for "json"/],
  ['{"epochs": 0}', /Expected an integer from 1 .* for --epochs, but received "0"/],
] as const) {
  test(`a file of options is refused: ${content}`, async (t) => {
    const config = join(await temporaryFolder(t), 'config.json')
    await writeFile(config, content)
    const { end, stderr } = await candlewick('train', '--config', config)
    t.is(end, 2)
    t.regex(stderr, message)
  })
}

test('a network of a file trains, with logs beside it', async (t) => {
  const [data, folder] = [await lenetFolder(t), await temporaryFolder(t)]
  const at = (name: string) => join(folder, name)
  const net = new Sequential([conv2d({ channels: 4, kernelSize: 3, activation: 'relu' }), dense({ units: 10 })])
  await writeFile(at('net.json'), JSON.stringify(net))
  const logs = ['--csv', at('log.csv'), '--tensorboard', at('runs'), '--save', at('net.safetensors')]
  const recipe = ['--optimizer', 'adam', '--augment', 'flip,crop:1', '--validation', '0.2', '--ema', '0.9']
  const lines = await train(t, '--net', at('net.json'), ...logs, ...recipe, '--data', data, ...seeded, '--epochs', '2')
  t.regex(lines.at(-1) ?? '', /^epoch 2, loss .*, train acc .*, val acc .*, test acc /)
  t.is((await readFile(at('log.csv'), 'utf8')).trim().split('\n').length, 3)
  t.is((await readdir(at('runs'))).length, 1)
  t.is(JSON.stringify(await Sequential.load(at('net.safetensors'))), JSON.stringify(net))
})

for (const [args, message] of [
  [['--init', 'a', '--resume', 'b'], /Expected --init or --resume, but received both/],
  [
    ['--optimizer', 'adam', '--momentum', '0.9'],
    /Expected --momentum and --nesterov with --optimizer sgd, but received adam/,
  ],
  [['--momentum', '1'], /Expected a number from 0 to below 1 for --momentum, but received "1"/],
  [['--schedule', 'linear'], /Expected constant or cosine or one-cycle for --schedule/],
  [['--augment', 'flip,blur'], /but received "blur"/],
  [['--net', '/nowhere/net.json'], /Cannot read a network from \/nowhere\/net.json: there is no such file/],
] as const) {
  test(`train ${args.join(' ')} is refused`, async (t) => {
    const { end, stderr } = await candlewick('train', ...args)
    t.is(end, 2)
    t.regex(stderr, message)
  })
}

test('what stands behind the bar', (t) => {
  const progress = { epoch: 2, images: 250, total: 1000, loss: 0.43117, trainAcc: 0.8512, learningRate: 0.1 }
  const note = (imagesPerSecond: number, epochs = 3) => progressNote({ ...progress, imagesPerSecond }, epochs)
  t.is(note(84310), 'epoch 2, loss 0.4312, acc 0.851, 84,310/s, 0:00 left')
  t.is(note(250), 'epoch 2, loss 0.4312, acc 0.851, 250/s, 0:07 left')
  t.is(note(1, 7), 'epoch 2, loss 0.4312, acc 0.851, 1/s, 1:35:50 left')
  t.is(note(0), 'epoch 2, loss 0.4312, acc 0.851, 0/s')
})
