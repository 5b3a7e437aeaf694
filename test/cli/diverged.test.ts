/** Trainings that come to NaN or infinity: the command says so, in text and in JSON, and keeps what was good. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { lenet } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'
import { lenetFolder } from '../lenet-folder.js'
import { candlewick } from '../run-command.js'

/** LeNet's parameters in a file, those of one layer all of one value. */
async function parametersWith(t: ExecutionContext, name: string, value: number): Promise<string> {
  const file = join(await temporaryFolder(t), 'net.safetensors')
  const net = lenet()
  await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
  await net.saveParameters(file)
  const bytes = await readFile(file)
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0)))
  const [from, to] = JSON.parse(header.toString())[name].data_offsets
  for (let at = from; at < to; at += 4) bytes.writeFloatLE(value, 8 + header.length + at)
  await writeFile(file, bytes)
  return file
}

test('a loss of NaN ends a training, with a reason, and what was saved before stays', async (t) => {
  const data = await lenetFolder(t)
  const init = await parametersWith(t, 'dense2.bias', Number.NaN)
  const save = join(await temporaryFolder(t), 'good')
  await writeFile(save, 'good')
  const { end, stdout, stderr } = await candlewick('train', '--data', data, '--init', init, '--save', save)
  t.is(end, 1)
  t.notRegex(stdout, /epoch/)
  const told =
    /^candlewick: The training diverged in epoch 1: the loss of step 1 is NaN, at a learning rate of 0\.9: dense2\.bias holds/
  t.regex(stderr, told)
  t.true(stderr.includes(`clipNorm, or other parameters than those of ${init};`), stderr)
  t.true(stderr.includes(`; nothing was saved to ${save}.`), stderr)
  t.is(await readFile(save, 'utf8'), 'good')
})

test('in JSON such a loss is no line, and of an evaluation a string, never null', async (t) => {
  const data = await lenetFolder(t)
  const init = await parametersWith(t, 'dense2.bias', Number.NaN)
  const trained = await candlewick('train', '--json', '--data', data, '--init', init, '--learning-rate', '0')
  t.is(trained.end, 1)
  t.is(trained.stdout, '')
  t.regex(trained.stderr, /is NaN, .*, or other parameters than those of [^\n]*\.\n$/)
  const evaluated = await candlewick('evaluate', '--json', '--data', data, init)
  t.is(evaluated.end, 1)
  t.is(JSON.parse(evaluated.stdout).loss, 'NaN')
  t.regex(
    evaluated.stderr,
    /^candlewick: The loss is NaN: the parameters of [^\n]* are of a training that diverged\.\n$/,
  )
})

test('a training whose parameters are not finite saves nothing, whatever its loss', async (t) => {
  const data = await lenetFolder(t)
  const init = await parametersWith(t, 'conv0.bias', Number.POSITIVE_INFINITY) // a sigmoid makes 1 of it
  const save = join(await temporaryFolder(t), 'good')
  await writeFile(save, 'good')
  const { end, stdout, stderr } = await candlewick(
    'train',
    '--data',
    data,
    '--init',
    init,
    '--epochs',
    '1',
    '--save',
    save,
  )
  t.is(end, 1)
  t.regex(stdout, /^epoch 1, loss \d\.\d{4}, /m)
  t.regex(stderr, /^candlewick: The training diverged: conv0\.bias holds values that are not finite; try [^\n]*\.\n$/)
  t.is(await readFile(save, 'utf8'), 'good')
})
