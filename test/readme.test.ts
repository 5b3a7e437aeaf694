/** What the README shows is what there is. */

import { spawn } from 'node:child_process'
import { access, mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import * as candlewickModule from 'candlewick'
import { usage } from '#dist/cli/usage.js'
import { temporaryFolder } from './idx-folder.js'
import { candlewick, finish, quiet } from './run-command.js'

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

test('the README names everything that candlewick exports', async (t) => {
  const readme = await readFile('README.md', 'utf8')
  const names = Object.keys(candlewickModule)
  t.true(names.length > 20)
  t.deepEqual(
    names.filter((name) => !new RegExp(`\\b${name}\\b`).test(readme)),
    [],
  )
})

/** Runs a program of the README's in a folder where candlewick is installed; what it prints and leaves there. */
async function runSample(t: ExecutionContext, program: string): Promise<{ stdout: string; left: string[] }> {
  const cwd = await temporaryFolder(t)
  await mkdir(join(cwd, 'node_modules'))
  await symlink(resolve('.'), join(cwd, 'node_modules', 'candlewick'))
  const { end, stdout, stderr } = await finish(
    spawn(process.execPath, [...quiet, '--input-type=module', '--eval', program], { cwd }),
  )
  t.deepEqual([end, stderr], [0, ''])
  return { stdout, left: (await readdir(cwd)).filter((name) => name !== 'node_modules') }
}

/** The README's programs, in their order. */
async function samples(): Promise<string[]> {
  return [...(await readFile('README.md', 'utf8')).matchAll(/```ts\n(.*?)```/gs)].map(([, program = '']) => program)
}

test("the README's first program trains as the command does", async (t) => {
  const readme = await readFile('README.md', 'utf8')
  const [program = ''] = await samples()
  t.is(program.trimEnd().split('\n').length, 20)
  t.regex(readme, /^## Twenty lines that train$/m)
  const { stdout } = await runSample(t, program.replace('epochs: 5', 'epochs: 2').replace('tryGpu()', "'cpu'"))
  const epochs = withoutTimes(stdout).match(/^epoch .*$/gm) ?? []
  t.is(epochs.length, 2)
  for (const epoch of epochs) t.true(withoutTimes(readme).includes(`${epoch}\n`), epoch)
  t.regex(stdout, /count: 10000/)
})

test("the README's second program trains on images that are there, and saves, loads and predicts", async (t) => {
  const [, program = ''] = await samples()
  const given = `
    import { ${Object.keys(candlewickModule).join(', ')} } from 'candlewick'
    const labels = Uint8Array.from({ length: 1100 }, (_, i) => i % 10)
    const pixels = Uint8Array.from({ length: 1100 * 3072 }, (_, i) => (i * i) % 251)`
  const asked = 'console.log(found.length, probabilities.length)'
  const { stdout, left } = await runSample(t, [given, program, asked].join('\n'))
  t.is(stdout.match(/^epoch /gm)?.length, 10)
  t.true(stdout.endsWith('\n1 10\n'))
  t.deepEqual(left, ['net.safetensors'])
})

test("the README's third program trains modernLeNet by its recipe", async (t) => {
  const [, , program = ''] = await samples()
  const given = `import { ${Object.keys(candlewickModule).join(', ')} } from 'candlewick'`
  const short = program
    .replace('fit(net, train,', 'fit(net, train.slice(0, 1280),')
    .replace('test })', 'test, epochs: 2 })')
  const { stdout } = await runSample(t, [given, short].join('\n'))
  t.is(stdout.match(/^epoch \d, loss \S+, train acc \S+, test acc /gm)?.length, 2)
})

test('what the README links to is there, and its table stands in its document too', async (t) => {
  const readme = await readFile('README.md', 'utf8')
  const links = [...readme.matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, path = '']) => path)
  t.true(links.includes('docs/measured.md'))
  for (const path of links) await t.notThrowsAsync(access(path), path)
  const [table = ''] = /^\*\*LeNet, .*?\n\n(?!\|)/ms.exec(readme) ?? []
  t.true(table.includes('candlewick'))
  t.true((await readFile('docs/measured.md', 'utf8')).includes(table))
})

test("the crate's README shows its example", async (t) => {
  const example = await readFile('crates/candlewick/examples/lenet.rs', 'utf8')
  t.true((await readFile('crates/candlewick/README.md', 'utf8')).includes(`\n${example}\`\`\`\n`))
})
