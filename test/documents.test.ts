/** The programs of docs/ run. */

import { spawn } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile, rename, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import * as candlewickModule from 'candlewick'
import { temporaryFolder } from './idx-folder.js'
import { folderOf, stripes } from './pictures/shapes.js'
import { finish } from './run-command.js'

interface Document {
  name: string
  /** Whether its programs run in one folder, one after the other, and find what those before left. */
  together: boolean
  /** What they find in their folder. */
  prepare?: (t: ExecutionContext, dir: string) => Promise<void>
  /** Names that it must say. */
  names: string[]
  /** What programs print and leave, by what they are of. */
  outcomes: [of: RegExp, prints: RegExp, leaves: string[]][]
}

const callbacks: Document['outcomes'] = [
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

const metrics: Document['outcomes'] = [
  [/train\.split\(/, /^11\d\d 1[23]\d\n(?:epoch \d, loss \S+, train acc \S+, val acc \S+, time .*\n){3}$/, []],
  [/validation: 0\.1, test/, /^(?:epoch \d, loss \S+, train acc \S+, val acc \S+, test acc \S+, time .*\n){3}$/, []],
  [
    /topK/,
    /\ntop 1 0\.\d+, top 3 0\.\d+, top 5 0\.\d+\n(?:\S.* \d\.\d{3} \d\.\d{3} \d\.\d{3} \d+\n){10}macro \{[^}]+\}\nshirts .*: \d+\n$/,
    [],
  ],
  [/valMetrics/, /^1 0\.\d+\n2 0\.\d+\n3 0\.\d+\n$/, []],
]

const tenLabels = String.raw`Uint32Array\(10\) \[(?:\s*\d,?){10}\s*\]`

const checkpoints: Document['outcomes'] = [
  [/checkpointed/, /^(?:epoch \d, .*\n){2}$/, ['run.safetensors']],
  [/resume:/, /^$/, ['run.safetensors']], // all epochs were done
  [/Sequential\.load/, new RegExp(`^${tenLabels}\n$`), ['run.safetensors']],
  [/clone\(\)/, new RegExp(`^${tenLabels}\n$`), ['run.safetensors']],
]

const datasets: Document['outcomes'] = [
  [
    /train\.statistics/,
    /^1280 \[ 1, 28, 28 \] \[ 't-shirt', 'trouser', 'pullover' \]\n\[(?:\s*\d+,?){10}\s*\]\n\[ 0\.2\d+ \] \[ 0\.3\d+ \]\n$/,
    [],
  ],
  [/train\.filter/, /^\d+ \d+ \[(?:\s*\d+,?){10}\s*\]\n\d+\n$/, []],
  [
    /'mean-deviation'/,
    /^epoch 1.*\n\{ mean: \[ 0\.2\d+ \], deviation: \[ 0\.3\d+ \] \}\n\{ mean: \[ 0\.2\d+ \], deviation: \[ 0\.3\d+ \] \}\n$/,
    ['normalizing.safetensors'],
  ],
  [/test\.map/, /^500 \[ 1, 14, 14 \]\n$/, []],
  [/arrayDataset\(/, /^0\.8414\d+ \{ mean: \[ -?[\d.e-]+ \], deviation: \[ 0\.70\d+ \] \}\n$/, []],
  [/datasetFrom\(/, /^8 \[ 1, 8, 8 \]\n$/, []],
  [
    /idxDataset\(/,
    /^Uint8Array\(2\) \[ 1, 26 \] 27\n$/,
    ['test', 'train'].flatMap((part) => [
      `emnist-letters-${part}-images-idx3-ubyte`,
      `emnist-letters-${part}-labels-idx1-ubyte`,
    ]),
  ],
  [/npyDataset\(/, /^\[ 3, 2, 1 \] Uint8Array\(6\) \[ 1, 4, 2, 5, 3, 6 \]\n$/, ['images.npy', 'labels.npy']],
]

const pictures: Document['outcomes'] = [
  [
    /imageFolder\(/,
    /^32 8 \[ 'across', 'down' \] 0\n(?:epoch \d+, loss .*, val acc .*\n){20}$/,
    ['pets.safetensors', 'photos', 'train.parquet'],
  ],
  [/Sequential\.load/, /^\[ 'across', 'down' \] 20\nacross true\n$/, ['pets.safetensors', 'photos', 'train.parquet']],
  [
    /parquetDataset/,
    /^12 \[ 3, 32, 32 \] \[ 'cat', 'dog', 'owl' \] \[ 4, 4, 4 \]\n$/,
    ['pets.safetensors', 'photos', 'train.parquet'],
  ],
]

const documents: Document[] = [
  {
    name: 'pictures.md',
    together: true,
    async prepare(t, dir) {
      await rename(await folderOf(t, stripes(20)), join(dir, 'photos'))
      await copyFile('test/data/fixtures/pictures.parquet', join(dir, 'train.parquet'))
    },
    names: ['imageFolder', 'parquetDataset'],
    outcomes: pictures,
  },
  {
    name: 'callbacks.md',
    together: false,
    names: ['csvLog', 'earlyStopping', 'history', 'jsonLines', 'reduceOnPlateau', 'saveBest', 'tensorBoard'],
    outcomes: callbacks,
  },
  { name: 'metrics.md', together: false, names: ['fit', 'evaluate'], outcomes: metrics },
  {
    name: 'datasets.md',
    together: false,
    names: ['arrayDataset', 'cifar10', 'cifar100', 'datasetFrom', 'fashionMnist', 'idxDataset', 'npyDataset'],
    outcomes: datasets,
  },
  { name: 'checkpoints.md', together: true, names: ['fit', 'fashionMnist'], outcomes: checkpoints },
]

/** Fewer images and epochs than the document has. */
function shortened(program: string): string {
  return program
    .replace('await fashionMnist()', 'shortened(await fashionMnist())')
    .replace('epochs: 20', 'epochs: 6')
    .replace('...modernLeNetRecipe()', '...modernLeNetRecipe(), epochs: 2')
}

const texts = await Promise.all(documents.map(({ name }) => readFile(join('docs', name), 'utf8')))

for (const [i, { name, together, prepare, names, outcomes }] of documents.entries()) {
  const text = texts[i] ?? ''
  const all = Array.from(text.matchAll(/```ts\n(.*?)```/gs), ([, program = '']) => program)
  const [shared, programs] = prepare ? ['', all] : [all[0] ?? '', all.slice(1)]
  /** What all programs know. */
  const given = [
    `import { ${Object.keys(candlewickModule).join(', ')} } from 'candlewick'`,
    'const shortened = ({ train, test }) => ({ train: train.slice(0, 1280), test: test.slice(0, 500) })',
    shortened(shared),
  ].join('\n')

  async function run(t: ExecutionContext, cwd: string, program: string): Promise<void> {
    const expected = outcomes.filter(([of]) => of.test(program))
    t.is(expected.length, 1, 'each program is known')
    const [[, prints, leaves] = [/^/, /^$/, []]] = expected
    const args = ['--input-type=module', '--eval', [given, program].join('\n')]
    const { end, stdout, stderr } = await finish(spawn(process.execPath, args, { cwd }))
    t.deepEqual([end, stderr], [0, ''])
    t.regex(stdout, prints)
    t.deepEqual((await readdir(cwd)).filter((file) => file !== 'node_modules').sort(), leaves)
  }

  for (const [number, group] of (together ? [programs] : programs.map((program) => [program])).entries()) {
    test.serial(`the programs of docs/${name} run, ${number + 1}`, async (t) => {
      const cwd = await temporaryFolder(t)
      await mkdir(join(cwd, 'node_modules'))
      await symlink(resolve('.'), join(cwd, 'node_modules', 'candlewick'))
      await prepare?.(t, cwd)
      for (const program of group) await run(t, cwd, program)
    })
  }

  test(`docs/${name} has a program for each outcome, and names all that it is about`, (t) => {
    t.is(programs.length, outcomes.length)
    for (const one of names) t.true(one in candlewickModule && text.includes(`${one}(`), one)
  })
}

/** Times differ from one machine to the next. */
const withoutTimes = (text: string) => text.replace(/, time \d+\.\d sec$/gm, '')

async function bookProgram(t: ExecutionContext) {
  const document = await readFile(join('docs', 'd2l.md'), 'utf8')
  const fenced = Array.from(document.matchAll(/^```(\w*)\n(.*?)^```$/gms))
  const blocks = (language: string) => fenced.filter((block) => block[1] === language).map(([, , text = '']) => text)
  const cwd = await temporaryFolder(t)
  await mkdir(join(cwd, 'node_modules'))
  await symlink(resolve('.'), join(cwd, 'node_modules', 'candlewick'))
  return { cwd, program: blocks('ts').join('\n'), shown: blocks('').join('') }
}

test.serial('docs/d2l.md is one program in pieces, and shows what it prints', async (t) => {
  const { cwd, program, shown } = await bookProgram(t)
  const args = ['--input-type=module', '--eval', program.replace('tryGpu()', "'cpu'")]
  const { end, stdout, stderr } = await finish(spawn(process.execPath, args, { cwd }))
  t.deepEqual([end, stderr], [0, ''])
  t.is(withoutTimes(stdout), withoutTimes(shown))
})

test('docs/d2l.md is TypeScript, of the strict kind', async (t) => {
  const { cwd, program } = await bookProgram(t)
  await writeFile(join(cwd, 'lenet.mts'), program)
  const types = ['--types', 'node', '--typeRoots', resolve('node_modules', '@types')]
  const args = ['--strict', '--noEmit', '--target', 'es2023', '--module', 'nodenext', ...types, 'lenet.mts']
  const { end, stdout } = await finish(spawn(resolve('node_modules', '.bin', 'tsc'), args, { cwd }))
  t.deepEqual([end, stdout], [0, ''])
})
