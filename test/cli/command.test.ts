/** What the command prints and writes, in processes of its own. */

import { spawn } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { fit, idxDataset, lenet, modernLeNet, modernLeNetRecipe } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'
import { lenetFolder } from '../lenet-folder.js'
import { candlewick, finish, program, shell, startCandlewick } from '../run-command.js'

/** Trains on the small folder; what it prints, line by line, and what it saves. */
async function train(t: ExecutionContext, data: string, ...args: string[]) {
  const file = join(await temporaryFolder(t), 'net.safetensors')
  const { end, stdout, stderr } = await candlewick('train', '--data', data, '--save', file, ...args)
  t.deepEqual([end, stderr], [0, ''])
  const bytes = await readFile(file)
  // What the file says of the training, before its tensors, is another matter.
  const parameters = bytes.subarray(8 + Number(bytes.readBigUInt64LE(0)))
  return { file, lines: stdout.trimEnd().split('\n'), parameters }
}

test('train prints the device, the shapes and a line an epoch', async (t) => {
  const { lines } = await train(t, await lenetFolder(t), '--epochs', '2', '--seed', '1', '--device', 'cpu')
  t.is(lines[0], 'training on cpu(0)')
  t.is(lines[1], 'conv0 output shape: (1, 6, 24, 24)')
  t.is(lines[7], 'dense2 output shape: (1, 10)')
  t.is(lines.length, 10, 'and no progress bar where the output is no terminal')
  for (const [i, line] of lines.slice(8).entries()) {
    t.regex(
      line,
      new RegExp(`^epoch ${i + 1}, loss \\d\\.\\d{4}, train acc 0\\.\\d{3}, test acc 0\\.\\d{3}, time \\d+\\.\\d sec$`),
    )
  }
})

test('what is saved is evaluated and trained on, in JSON too', async (t) => {
  const data = await lenetFolder(t)
  const { file, lines, parameters } = await train(t, data, '--epochs', '1', '--seed', '1', '--json')
  const epoch = JSON.parse(lines[0] ?? '')
  t.deepEqual(Object.keys(epoch), [
    'epoch',
    'loss',
    'trainAcc',
    'learningRate',
    'testLoss',
    'testAcc',
    'trainSeconds',
    'evalSeconds',
    'seed',
  ])
  const evaluated = JSON.parse((await candlewick('evaluate', file, '--data', data, '--json')).stdout)
  t.deepEqual(Object.keys(evaluated), ['loss', 'accuracy', 'count'])
  t.deepEqual([evaluated.accuracy, evaluated.count], [epoch.testAcc, 100])
  const { stdout } = await candlewick('evaluate', file, '--data', data)
  t.is(stdout, `100 images, loss ${evaluated.loss.toFixed(4)}, acc ${evaluated.accuracy.toFixed(3)}\n`)
  const frozen = ['--epochs', '1', '--init', file, '--learning-rate', '0', '--no-shuffle', '--threads', '1']
  t.deepEqual((await train(t, data, ...frozen)).parameters, parameters)
})

test('a seed that was drawn is told, and repeats the training', async (t) => {
  const data = await lenetFolder(t)
  const drawn = await train(t, data, '--epochs', '2')
  const [, seed] = /^seed (\d+)$/.exec(drawn.lines[1] ?? '') ?? []
  t.truthy(seed)
  const json = await train(t, data, '--epochs', '2', '--json', '--seed', String(seed))
  t.deepEqual(json.parameters, drawn.parameters)
  t.deepEqual(
    json.lines.map((line) => JSON.parse(line).seed),
    [Number(seed), Number(seed)],
  )
  const another = await train(t, data, '--epochs', '1', '--json')
  const told = JSON.parse(another.lines[0] ?? '').seed
  t.not(told, Number(seed))
  const repeated = await train(t, data, '--epochs', '1', '--seed', String(told))
  t.deepEqual(repeated.parameters, another.parameters)
})

test('the seed decides the order of the images too, unless they are not shuffled', async (t) => {
  const data = await lenetFolder(t)
  const { file } = await train(t, data, '--epochs', '1')
  const from = (...args: string[]) => train(t, data, '--epochs', '1', '--init', file, ...args)
  t.notDeepEqual((await from('--seed', '1')).parameters, (await from('--seed', '2')).parameters)
  const [one, two] = [await from('--seed', '1', '--no-shuffle'), await from('--seed', '2', '--no-shuffle')]
  t.deepEqual(one.parameters, two.parameters)
})

test('the same seed gives the same bits with any number of threads', async (t) => {
  const data = await lenetFolder(t)
  const trained = (threads: string) => train(t, data, '--epochs', '1', '--seed', '3', '--threads', threads)
  t.deepEqual((await trained('1')).parameters, (await trained('3')).parameters)
})

test('--threads says how many', async (t) => {
  const data = await lenetFolder(t)
  // Those that share the work: threads for the lines of networks come and go.
  const count = `
    import { readdirSync, readFileSync } from 'node:fs'
    const names = () => readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8'))
    process.on('exit', () => console.log(names().filter((name) => /^candlewick-[0-9]/.test(name)).length))`
  const threads = async (asked: string) => {
    const args = [
      '--import',
      `data:text/javascript,${encodeURIComponent(count)}`,
      program,
      'train',
      '--data',
      data,
      '--threads',
      asked,
    ]
    const { stdout } = await finish(spawn(process.execPath, args))
    return Number(stdout.trimEnd().split('\n').pop())
  }
  t.is((await threads('9')) - (await threads('2')), 7)
})

test('--device auto takes what is there, as no --device does', async (t) => {
  const data = await lenetFolder(t)
  const auto = await train(t, data, '--epochs', '1', '--seed', '1', '--device', 'auto')
  const none = await train(t, data, '--epochs', '1', '--seed', '1')
  t.deepEqual([auto.lines[0], auto.parameters], [none.lines[0], none.parameters])
})

test('the defaults are those of the help', async (t) => {
  const { stdout: help } = await candlewick('--help')
  const defaults = ['epochs', 'batch-size', 'learning-rate'].flatMap((name) => {
    const [option, value] = new RegExp(`^ +(--${name}) +([\\d.]+)`, 'm').exec(help)?.slice(1) ?? []
    return [String(option), String(value)]
  })
  const data = await lenetFolder(t)
  const [silent, said] = [await train(t, data, '--seed', '1'), await train(t, data, '--seed', '1', ...defaults)]
  t.deepEqual([said.lines.length, said.parameters], [silent.lines.length, silent.parameters])
})

test('--preset modern trains by the recipe, and what is saved is evaluated by it', async (t) => {
  const data = await lenetFolder(t, 256)
  const modern = ['--preset', 'modern']
  const { file, lines } = await train(t, data, ...modern, '--epochs', '2', '--seed', '1', '--json')
  const { testLoss, testAcc } = JSON.parse(lines[1] ?? '')
  for (const preset of [modern, []]) {
    const { stdout } = await candlewick('evaluate', ...preset, file, '--data', data, '--json')
    t.deepEqual(JSON.parse(stdout), { loss: testLoss, accuracy: testAcc, count: 100 })
  }
  const net = modernLeNet()
  await net.initialize({ inputShape: [1, 28, 28], seed: 1 })
  const options = { ...modernLeNetRecipe(), epochs: 2 }
  for await (const _ of fit(net, (await idxDataset({ dir: data })).train, options));
  const expected = await net.parameters()
  await net.loadParameters(file)
  t.deepEqual(await net.parameters(), expected)
})

test("a preset's settings are those of the help, unless others are given", async (t) => {
  const { stdout: help } = await candlewick('--help')
  const [epochs, batchSize, rate] = [...help.matchAll(/modern: ([\d.]+)/g)].map(([, value]) => value as string)
  const settings = ['--epochs', `${epochs}`, '--batch-size', `${batchSize}`, '--learning-rate', `${rate}`]
  const data = await lenetFolder(t, 256, 20)
  const modern = (...args: string[]) => train(t, data, '--preset', 'modern', '--seed', '1', ...args)
  const [silent, said] = [await modern(), await modern(...settings)]
  t.is(silent.lines.filter((line) => line.startsWith('epoch ')).length, Number(epochs))
  t.deepEqual(said.parameters, silent.parameters)
  const two = await modern('--epochs', '2')
  t.is(two.lines.filter((line) => line.startsWith('epoch ')).length, 2)
  for (const [option, value] of [
    ['--batch-size', '64'],
    ['--learning-rate', '0.1'],
  ] as const) {
    t.notDeepEqual((await modern('--epochs', '2', option, value)).parameters, two.parameters, option)
  }
})

test("a file of another preset's network is refused, with the preset that it was taken for", async (t) => {
  const data = await lenetFolder(t, 32, 20)
  const once = ['--epochs', '1', '--seed', '1']
  const { file: lenet } = await train(t, data, ...once)
  const { file: modern } = await train(t, data, '--preset', 'modern', ...once)
  for (const [args, preset] of [
    [['evaluate', '--preset', 'lenet', modern], 'lenet'],
    [['evaluate', '--preset', 'modern', lenet], 'modern'],
    [['train', '--preset', 'modern', '--init', lenet], 'modern'],
  ] as const) {
    const { end, stdout, stderr } = await candlewick(...args, '--data', data)
    t.deepEqual([end, stdout], [1, ''])
    t.regex(stderr, new RegExp(`^candlewick: .*: tensor .*; it was taken for a file of --preset ${preset}\\.\n$`))
  }
  t.regex((await candlewick('summary', '--preset', 'modern')).stdout, /^total +72666 +448 +7338880$/m)
})

test('CANDLEWICK_ISA chooses the instruction set, with the same figures, and must be one that is there', async (t) => {
  const data = await lenetFolder(t)
  const { file } = await train(t, data, '--epochs', '1', '--seed', '1')
  const on = (instructionSet: string, ...args: string[]) =>
    finish(startCandlewick(args, { CANDLEWICK_ISA: instructionSet }))
  const figures = async (instructionSet: string, name: RegExp) => {
    t.regex((await on(instructionSet, 'devices')).stdout, name)
    const { end, stdout, stderr } = await on(instructionSet, 'evaluate', file, '--data', data, '--json')
    t.deepEqual([end, stderr], [0, ''])
    return stdout
  }
  t.is(await figures('portable', /, portable$/m), await figures('', /, (avx512|avx2|neon|portable)$/m))

  const { end, stdout, stderr } = await on('avx1024', 'train', '--data', data)
  t.deepEqual([end, stdout], [1, ''])
  t.regex(stderr, /^candlewick: CANDLEWICK_ISA is "avx1024"; this processor has .*portable, or leave it out\.?\n$/)
  t.regex((await on('avx1024', 'devices')).stdout, /^cpu.*CANDLEWICK_ISA is "avx1024"/m)
})

test('summary counts parameters and devices says what there is, in JSON too', async (t) => {
  const { end, stdout } = await candlewick('summary')
  t.is(end, 0)
  t.is(stdout, `${lenet().summary([1, 28, 28], { batchSize: 256 })}\n`)
  t.regex(stdout, /^dense0 \(dense\) +\(1, 120\) +30840 +0 +30720$/m)
  const summary = (await candlewick('summary', '--json')).stdout.trimEnd().split('\n')
  const dense0 = { name: 'dense0', outputShape: [1, 120], parameterCount: 30840, nonTrainableCount: 0 }
  t.deepEqual(JSON.parse(summary[4] ?? ''), dense0)
  t.is(summary.length, 8)
  t.deepEqual(JSON.parse(summary[7] ?? ''), { totalParameterCount: 44426, totalNonTrainableCount: 0 })
  const devices = await candlewick('devices')
  t.is(devices.end, 0)
  t.regex(devices.stdout, /^cpu: \d+ cores, \S/m)
  t.regex(devices.stdout, /^cuda.*: \S/m)
  const [cpu] = (await candlewick('devices', '--json')).stdout.split('\n')
  t.like(JSON.parse(cpu ?? ''), { name: 'cpu', available: true })
})

test('both engines train and evaluate, each what the other saved', async (t) => {
  const data = await lenetFolder(t, 128)
  const losses: number[] = []
  for (const [engine, other] of [
    ['fused', 'candle'],
    ['candle', 'fused'],
  ] as const) {
    const { file, lines } = await train(t, data, '--epochs', '1', '--seed', '1', '--json', '--engine', engine)
    losses.push(JSON.parse(lines[0] ?? '').loss)
    const evaluated = (by: string) => candlewick('evaluate', file, '--data', data, '--json', '--engine', by)
    const [own, others] = await Promise.all([engine, other].map(async (by) => JSON.parse((await evaluated(by)).stdout)))
    t.true(Math.abs(own.loss - others.loss) < 1e-4, `${own.loss} and ${others.loss}`)
  }
  const [fused = Number.NaN, candle = Number.NaN] = losses
  t.true(Math.abs(fused - candle) < 1e-4, `${fused} and ${candle}`)
  const { stdout } = await candlewick('devices', '--engine', 'candle')
  t.regex(stdout, /^cpu: \d+ cores, candle$/m)
  t.regex(stdout, /^metal.*: \S/m)
})

test('without a command it prints the help to standard error, which is bad usage', async (t) => {
  const { end, stdout, stderr } = await candlewick()
  t.deepEqual([end, stdout], [2, ''])
  t.is(stderr, (await candlewick('--help')).stdout)
})

test('help is no error, wherever it is asked for', async (t) => {
  for (const args of [['--help'], ['-h'], ['help'], ['train', '--epochs', '0', '--help']]) {
    const { end, stdout, stderr } = await candlewick(...args)
    t.deepEqual([end, stderr], [0, ''])
    t.regex(stdout, /candlewick train/)
  }
})

test('bad usage exits with 2 and a failure with 1, each with one sentence', async (t) => {
  const usage = await candlewick('trian')
  t.deepEqual([usage.end, usage.stdout], [2, ''])
  t.regex(usage.stderr, /^candlewick: Unknown command "trian"; [^\n]*\. See candlewick --help\.\n$/)
  const failure = await candlewick('train', '--data', '/nowhere')
  t.deepEqual([failure.end, failure.stdout], [1, ''])
  t.regex(failure.stderr, /^candlewick: [^\n]*\/nowhere[^\n]*\.\n$/)
})

test('a stack is there for who asks', async (t) => {
  const { stderr } = await finish(startCandlewick(['train', '--data', '/nowhere'], { CANDLEWICK_DEBUG: '1' }))
  t.regex(stderr, /^candlewick: .*\n {4}at /)
})

test('a reader that goes away is no failure', async (t) => {
  const outcome = await shell(`$CANDLEWICK train --data ${await lenetFolder(t)} --epochs 1000000 --json | head -n 1`)
  t.deepEqual([outcome.end, outcome.stderr], [0, ''])
  t.is(JSON.parse(outcome.stdout).epoch, 1)
})

test('without a reader, what was to be saved still is', async (t) => {
  const file = join(await temporaryFolder(t), 'net.safetensors')
  const data = await lenetFolder(t)
  // Long enough for head to have gone.
  const { stderr } = await shell(`$CANDLEWICK train --data ${data} --epochs 300 --json --save ${file} | head -n 1`)
  t.is(stderr, '')
  await t.notThrowsAsync(access(file))
})

test('output that cannot be written is a failure', async (t) => {
  const { end, stderr } = await shell('$CANDLEWICK summary > /dev/full')
  t.is(end, 1)
  t.regex(stderr, /^candlewick: cannot print: ENOSPC.*\n$/)
})

test('where nobody reads the errors either, the exit code is as ever', async (t) => {
  const { stdout } = await shell('exec 3>&1; { $CANDLEWICK trian 2>&1 >/dev/null; echo $? >&3; } | true')
  t.is(stdout, '2\n')
})
