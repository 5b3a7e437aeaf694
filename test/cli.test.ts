import { type ChildProcess, spawn } from 'node:child_process'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { bytes, idx, idxFolder, temporaryFolder } from './idx-folder.js'

const program = join('dist', 'cli.js')

interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

async function finish(child: ChildProcess): Promise<Outcome> {
  const code = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout as never), text(child.stderr as never)])
  return { code: await code, stdout, stderr }
}

function candlewick(...args: string[]): Promise<Outcome> {
  return finish(spawn(process.execPath, [program, ...args]))
}

function candlewickOn(instructionSet: string, ...args: string[]): Promise<Outcome> {
  return finish(
    spawn(process.execPath, [program, ...args], { env: { ...process.env, CANDLEWICK_ISA: instructionSet } }),
  )
}

test('train prints the device, the shapes and a line an epoch', async (t) => {
  const { code, stdout, stderr } = await candlewick('train', '--epochs', '2', '--seed', '1', '--device', 'cpu')
  t.deepEqual([code, stderr], [0, ''])
  const lines = stdout.trimEnd().split('\n')
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
  const file = join(await temporaryFolder(t), 'net.safetensors')
  const [first] = [
    await candlewick('train', '--epochs', '1', '--seed', '1', '--json', '--save', file, '--batch-size', '64'),
  ]
  t.deepEqual([first.code, first.stderr], [0, ''])
  const epoch = JSON.parse(first.stdout)
  t.deepEqual(Object.keys(epoch), ['epoch', 'loss', 'trainAcc', 'testAcc', 'trainSeconds', 'evalSeconds'])
  const evaluated = await candlewick('evaluate', file, '--json')
  t.is(JSON.parse(evaluated.stdout).accuracy, epoch.testAcc)
  t.regex((await candlewick('evaluate', file)).stdout, /^10000 images, loss \d\.\d{4}, acc 0\.\d{3}\n$/)
  const frozen = ['--epochs', '1', '--init', file, '--learning-rate', '0', '--no-shuffle', '--threads', '1', '--json']
  t.is(JSON.parse((await candlewick('train', ...frozen)).stdout).testAcc, epoch.testAcc)
})

test('CANDLEWICK_ISA chooses the instruction set, with the same figures, and must be one that is there', async (t) => {
  const figures = async (instructionSet: string, name: RegExp) => {
    t.regex((await candlewickOn(instructionSet, 'devices')).stdout, name)
    const { code, stdout, stderr } = await candlewickOn(instructionSet, 'evaluate', file, '--json')
    t.deepEqual([code, stderr], [0, ''])
    return stdout
  }
  const file = join(await temporaryFolder(t), 'net.safetensors')
  await candlewick('train', '--epochs', '1', '--seed', '1', '--save', file)
  t.is(await figures('portable', /, portable$/m), await figures('', /, (avx512|avx2|neon|portable)$/m))

  const { code, stdout, stderr } = await candlewickOn('avx1024', 'train')
  t.deepEqual([code, stdout], [1, ''])
  t.regex(stderr, /^candlewick: CANDLEWICK_ISA is "avx1024"; this processor has .*portable, or leave it out\.?\n$/)
  t.regex((await candlewickOn('avx1024', 'devices')).stdout, /^cpu.*CANDLEWICK_ISA is "avx1024"/m)
})

test('the same seed prints the same figures with any number of threads', async (t) => {
  const figures = async (threads: string) => {
    const { stdout } = await candlewick('train', '--epochs', '1', '--seed', '3', '--json', '--threads', threads)
    const { loss, trainAcc, testAcc } = JSON.parse(stdout)
    return [loss, trainAcc, testAcc]
  }
  t.deepEqual(await figures('1'), await figures('3'))
})

test('summary counts parameters and devices says what there is', async (t) => {
  const { code, stdout } = await candlewick('summary')
  t.is(code, 0)
  t.regex(stdout, /^dense0 +\(1, 120\) +30840$/m)
  t.regex(stdout, /^total +44426$/m)
  const devices = await candlewick('devices')
  t.is(devices.code, 0)
  t.regex(devices.stdout, /^cpu: \d+ cores, \S/m)
  t.regex(devices.stdout, /^cuda.*: \S/m)
})

for (const [args, code, message] of [
  [[], 2, undefined],
  [['trian'], 2, /Unknown command "trian"; expected one of train,/],
  [['train', '--epohcs', '3'], 2, /Unknown option '--epohcs'/],
  [['train', '--epochs', '0'], 2, /from 1 .*--epochs, but received "0"/],
  [['train', '--batch-size', '1.5'], 2, /--batch-size, but received "1\.5"/],
  [['train', '--learning-rate', 'fast'], 2, /--learning-rate, but received "fast"/],
  [['train', '--learning-rate', 'NaN'], 2, /"NaN"/],
  [['train', '--learning-rate=-1'], 2, /"-1"/],
  [['train', '--device', 'gpu'], 2, /--device, but received "gpu"/],
  [['train', 'now'], 2, /Unexpected argument "now"/],
  [['train', '--seed'], 2, /--seed/],
  [['evaluate'], 2, /file of parameters/],
  [['evaluate', ''], 2, /file of parameters/],
  [['train', '--save', ''], 2, /--save, but received ""/],
  [['train', '--data='], 2, /--data, but received ""/],
  [['train', '--data', '/nowhere'], 1, /no folder \/nowhere/],
  [['train', '--device', 'cuda:9999'], 1, /cuda:9999/],
  [['train', '--init', '/nowhere.safetensors'], 1, /\/nowhere\.safetensors/],
  [['evaluate', '/nowhere.safetensors'], 1, /\/nowhere\.safetensors/],
  [['train', '--epochs', '1', '--save', '/nowhere/net.safetensors'], 1, /\/nowhere\/net\.safetensors/],
] satisfies [string[], number, RegExp | undefined][]) {
  test(`candlewick ${JSON.stringify(args)} exits with ${code}`, async (t) => {
    const outcome = await candlewick(...args)
    t.is(outcome.code, code)
    if (message) {
      t.regex(outcome.stderr, message)
      t.regex(outcome.stderr, /^candlewick: [^\n]*\.\n$/, 'one sentence and no stack')
    }
  })
}

test('a stack is there for who asks', async (t) => {
  const env = { ...process.env, CANDLEWICK_DEBUG: '1' }
  const { stderr } = await finish(spawn(process.execPath, [program, 'train', '--data', '/nowhere'], { env }))
  t.regex(stderr, /\n {4}at /)
})

test('help is no error', async (t) => {
  const { code, stdout } = await candlewick('--help')
  t.is(code, 0)
  t.regex(stdout, /candlewick train/)
})

test('Ctrl-C ends a training with 130 and saves nothing', async (t) => {
  const file = join(await temporaryFolder(t), 'net.safetensors')
  const child = spawn(process.execPath, [program, 'train', '--epochs', '1000', '--save', file])
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGINT'), 100))
  const { code, stderr } = await finish(child)
  t.deepEqual([code, stderr], [130, 'Interrupted.\n'])
  await t.throwsAsync(access(file))
})

test('a reader that goes away is no failure', async (t) => {
  const outcome = await finish(
    spawn('sh', ['-c', `"${process.execPath}" ${program} train --epochs 2 --json | head -n 1`]),
  )
  t.deepEqual([outcome.code, outcome.stderr], [0, ''])
  t.is(JSON.parse(outcome.stdout).epoch, 1)
})

test('without a reader, what was to be saved still is', async (t) => {
  const file = join(await temporaryFolder(t), 'net.safetensors')
  const command = `"${process.execPath}" ${program} train --epochs 3 --json --save ${file} | head -n 1`
  const { stderr } = await finish(spawn('sh', ['-c', command]))
  t.is(stderr, '')
  await t.notThrowsAsync(access(file))
})

test('output that cannot be written is a failure', async (t) => {
  const outcome = await finish(spawn('sh', ['-c', `"${process.execPath}" ${program} summary > /dev/full`]))
  t.is(outcome.code, 1)
  t.regex(outcome.stderr, /^candlewick: cannot print: ENOSPC.*\n$/)
})

test('a terminal sees a progress bar', async (t) => {
  const file = join(await temporaryFolder(t), 'typescript')
  const command = `"${process.execPath}" ${program} train --epochs 6`
  // script(1) runs the command on a terminal of its own and writes down what it prints.
  const { code } = await finish(spawn('script', ['--quiet', '--return', '--command', command, file]))
  t.is(code, 0)
  const seen = await readFile(file, 'utf8')
  t.regex(seen, /training \[=+ *\] \d+%/)
  t.regex(seen, /epoch 6, loss/)
})

/** Megabytes that a training took at its peak. */
async function peakMemory(...args: string[]): Promise<number> {
  const { code, stderr } = await finish(
    spawn(process.execPath, ['--import', './bench/peak-memory.js', program, 'train', '--json', ...args]),
  )
  if (code !== 0) throw new Error(stderr)
  return Number(stderr) / 1024
}

test('training takes less than 200 MB, and no more for many epochs than for few', async (t) => {
  t.true((await peakMemory('--epochs', '1')) < 200)
  const pixels = bytes(2560 * 28 * 28)
  const labels = Uint8Array.from({ length: 2560 }, (_, i) => i % 10)
  const data = await idxFolder(t, {
    'train-images-idx3-ubyte.gz': gzipSync(idx([2560, 28, 28], pixels)),
    'train-labels-idx1-ubyte.gz': gzipSync(idx([2560], labels)),
    't10k-images-idx3-ubyte': idx([16, 28, 28], pixels.subarray(0, 16 * 28 * 28)),
    't10k-labels-idx1-ubyte': idx([16], labels.subarray(0, 16)),
  })
  const few = await peakMemory('--data', data, '--epochs', '5')
  const many = await peakMemory('--data', data, '--epochs', '100')
  t.true(many < few + 8, `${few} MB for 5 epochs, ${many} MB for 100`)
})
