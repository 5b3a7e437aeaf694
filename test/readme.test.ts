/** What the README shows is what there is. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { usage } from '#dist/cli/usage.js'
import { temporaryFolder } from './idx-folder.js'
import { candlewick } from './run-command.js'

test('the README shows the help that the command prints', async (t) => {
  t.true((await readFile('README.md', 'utf8')).includes(usage))
})

/** Times differ from one machine to the next. */
const withoutTimes = (text: string) => text.replace(/, time \d+\.\d sec$/gm, '')

test('the README shows what npm start prints with --seed 1, which is what evaluate finds', async (t) => {
  const [, shown] = /```\n(training on cpu\(0\)\n.*?)```/s.exec(await readFile('README.md', 'utf8')) ?? []
  const file = join(await temporaryFolder(t), 'net.safetensors')
  const args = ['--epochs', '2', '--seed', '1', '--device', 'cpu', '--save', file]
  const { end, stdout, stderr } = await candlewick('train', ...args)
  t.deepEqual([end, stderr], [0, ''])
  t.is(stdout.split('\n').length, 8 + 2 + 1)
  t.true(withoutTimes(shown ?? '').startsWith(withoutTimes(stdout)), stdout)
  const [, accuracy] = /^epoch 2, .*, test acc (0\.\d{3}),/m.exec(stdout) ?? []
  const evaluated = await candlewick('evaluate', file, '--device', 'cpu')
  t.regex(evaluated.stdout, new RegExp(`^10000 images, loss \\d\\.\\d{4}, acc ${accuracy}\\n$`))
})
