/** The programs of docs/ run. */

import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import * as candlewickModule from 'candlewick'
import { temporaryFolder } from './idx-folder.js'
import { finish } from './run-command.js'

/** What the programs of a document print and leave, by what they are of. */
type Outcomes = [of: RegExp, prints: RegExp, leaves: string[]][]

/** What all programs of a document know, on fewer images and for fewer epochs. */
const givenBy = (shared: string) =>
  [
    `import { ${Object.keys(candlewickModule).join(', ')} } from 'candlewick'`,
    `import { withSetParameters } from '${pathToFileURL(resolve('build', 'test', 'training', 'set-parameters.js'))}'`,
    'withSetParameters()',
    'const few = ({ train, test }) => ({ train: train.slice(0, 1280), test: test.slice(0, 500) })',
    shared.replace('await fashionMnist()', 'few(await fashionMnist())').replace('epochs: 20', 'epochs: 6'),
  ].join('\n')

const ofCallbacks: Outcomes = [
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

const ofMetrics: Outcomes = [
  [/train\.split\(/, /^11\d\d 1[23]\d\n(?:epoch \d, loss \S+, train acc \S+, val acc \S+, time .*\n){3}$/, []],
  [/validation: 0\.1, test/, /^(?:epoch \d, loss \S+, train acc \S+, val acc \S+, test acc \S+, time .*\n){3}$/, []],
  [
    /topK/,
    /\ntop 1 0\.\d+, top 3 0\.\d+, top 5 0\.\d+\n(?:\S.* \d\.\d{3} \d\.\d{3} \d\.\d{3} \d+\n){10}macro \{[^}]+\}\nshirts .*: \d+\n$/,
    [],
  ],
  [/valMetrics/, /^1 0\.\d+\n2 0\.\d+\n3 0\.\d+\n$/, []],
]

const documents = await Promise.all(
  (
    [
      ['callbacks.md', ofCallbacks],
      ['metrics.md', ofMetrics],
    ] as const
  ).map(async ([name, outcomes]) => {
    const text = await readFile(join('docs', name), 'utf8')
    const [shared = '', ...programs] = Array.from(text.matchAll(/```ts\n(.*?)```/gs), ([, program = '']) => program)
    return { name, text, given: givenBy(shared), programs, outcomes }
  }),
)

for (const { name, given, programs, outcomes } of documents) {
  for (const [i, program] of programs.entries()) {
    test.serial(`program ${i + 1} of docs/${name} runs`, async (t) => {
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

  test(`docs/${name} has a program for each outcome`, (t) => {
    t.is(programs.length, outcomes.length)
  })
}

test('docs/callbacks.md names all callbacks', (t) => {
  const document = documents.find(({ name }) => name === 'callbacks.md')?.text ?? ''
  const callbacks = ['csvLog', 'earlyStopping', 'history', 'jsonLines', 'reduceOnPlateau', 'saveBest', 'tensorBoard']
  for (const name of callbacks) t.true(name in candlewickModule && document.includes(`${name}(`), name)
})
