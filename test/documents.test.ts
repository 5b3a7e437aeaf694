/** The programs of docs/ run. */

import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test from 'ava'
import * as candlewickModule from 'candlewick'
import { temporaryFolder } from './idx-folder.js'
import { finish } from './run-command.js'

const document = await readFile(join('docs', 'callbacks.md'), 'utf8')
const [shared = '', ...programs] = Array.from(document.matchAll(/```ts\n(.*?)```/gs), ([, program = '']) => program)

/** What all programs know, on fewer images and for fewer epochs. */
const given = [
  `import { ${Object.keys(candlewickModule).join(', ')} } from 'candlewick'`,
  'const few = ({ train, test }) => ({ train: train.slice(0, 1280), test: test.slice(0, 500) })',
  shared.replace('await fashionMnist()', 'few(await fashionMnist())').replace('epochs: 20', 'epochs: 6'),
].join('\n')

/** What programs print and leave, by what they are of. */
const outcomes: [of: RegExp, prints: RegExp, leaves: string[]][] = [
  [/run\.stop\(\)\n {2}\}/, /^epoch 6, loss .*$/m, []],
  [
    /onBegin/,
    /^6 epochs of 20 steps\n(?:epoch \d.*\n){4}step 100, loss \d\.\d{4}\n(?:epoch \d.*\n){2}6 epochs are done\n$/,
    [],
  ],
  [/earlyStopping\(/, /\nepoch \d was the best: \{[^}]*count: 500/, []],
  [/saveBest\(/, /^epoch 6, /m, ['best.safetensors']],
  [/reduceOnPlateau\(/, /^6 \d\.\d+ 0\.0\d+$/m, []],
  [/history\(/, /^\[\s*1, 2, 3, 4, 5, 6\s*\] \[/, []],
  [/csvLog\(/, /^epoch 6, /m, ['log.csv', 'log.jsonl']],
  [/tensorBoard\(/, /^epoch 6, /m, ['runs']],
  [/findLearningRate\(/, /^try \d\S*; \d+ rates, the least loss \d\.\d{3}\n$/, []],
]

for (const [i, program] of programs.entries()) {
  test.serial(`program ${i + 1} of docs/callbacks.md runs`, async (t) => {
    const expected = outcomes.filter(([of]) => of.test(program))
    t.is(expected.length, 1, 'each program is known')
    const [[, prints, leaves] = [/^/, /^$/, []]] = expected
    const cwd = await temporaryFolder(t)
    await mkdir(join(cwd, 'node_modules'))
    await symlink(resolve('.'), join(cwd, 'node_modules', 'candlewick'))
    const args = ['--input-type=module', '--eval', [given, program].join('\n')]
    const { end, stdout, stderr } = await finish(spawn(process.execPath, args, { cwd }))
    t.deepEqual([end, stderr], [0, ''])
    t.regex(stdout, prints)
    t.deepEqual((await readdir(cwd)).filter((name) => name !== 'node_modules').sort(), leaves)
  })
}

test('docs/callbacks.md has a program for each outcome, and names all callbacks', (t) => {
  t.is(programs.length, outcomes.length)
  const callbacks = ['csvLog', 'earlyStopping', 'history', 'jsonLines', 'reduceOnPlateau', 'saveBest', 'tensorBoard']
  for (const name of callbacks) t.true(name in candlewickModule && document.includes(`${name}(`), name)
})
