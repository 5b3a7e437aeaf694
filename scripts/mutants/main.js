/**
 * Would the tests notice? Puts one fault after the other into a copy of the compiled code, runs the test files that reach
 * it, and names the faults that live. What it prints and `test/mutants.json` say: test/README.md.
 *
 *   npm run mutants -- [--sample N] [--jobs N] [--tests random,training/fit] [src/random.ts ...]
 */

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { SourceMap } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fetchFashionMnist, findFashionMnist } from '../../dist/data/fashion-mnist.js'
import { copyPackage, passes, root, testFiles } from './copy.js'
import { coverage } from './coverage.js'
import { faultsOf } from './faults.js'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** That many faults, chosen at random. */
    sample: { type: 'string' },
    /** Faults tried at once. Tests that look at the clock may fail of it. */
    jobs: { type: 'string', default: '1' },
    /** Only these test files, by their paths in test/. */
    tests: { type: 'string' },
  },
})

process.env.FASHION_MNIST_DIR = (await findFashionMnist()) ?? (await fetchFashionMnist())
const workplace = await mkdtemp(join(tmpdir(), 'candlewick-mutants-'))
try {
  await main()
} finally {
  await rm(workplace, { recursive: true, force: true })
}

async function main() {
  const copies = []
  for (let i = 0; i < Number(options.jobs); i++) copies.push(await copyPackage(join(workplace, `copy${i}`)))
  const faults = sample((await Promise.all((await sources()).map(faultsIn))).flat())
  const harmless = JSON.parse(await readFile(join(root, 'test', 'mutants.json'), 'utf8'))
  const queue = faults.filter((fault) => !harmless.some((entry) => isSame(entry, fault)))
  console.log(`${faults.length} faults, ${faults.length - queue.length} of them harmless by the list`)
  const [first] = copies
  const tests = (await coverage(first, await chosenTests(first))).map(({ file, seconds, reaches }) => {
    const kills = [] // by the files of the faults
    return {
      file,
      seconds,
      kills,
      reaches: (fault) => reaches(compiled(first, fault.file), fault.at),
      /** The quick tests and those that noticed faults of the same file before come first. */
      cost: (fault) => seconds / (1 + kills.filter((killed) => killed === fault.file).length),
    }
  })
  const next = queue.values() // shared by all copies
  await Promise.all(copies.map((copy) => tryAll(next, copy, tests)))
  summarize(queue, harmless, faults)
}

/** The files of `src/` that were asked for, or all. */
async function sources() {
  if (positionals.length > 0) return positionals
  const files = await readdir(join(root, 'src'), { recursive: true })
  return files.filter((file) => file.endsWith('.ts')).map((file) => join('src', file))
}

async function chosenTests(folder) {
  const files = await testFiles(folder)
  const names = options.tests?.split(',').map((name) => join('build', 'test', `${name}.test.js`))
  return names ? files.filter((file) => names.includes(file)) : files
}

function compiled(folder, file) {
  return join(folder, file.replace(/^src/, 'dist').replace(/\.ts$/, '.js'))
}

/** Every fault of a file, with the line of the source that it would stand in. */
async function faultsIn(file) {
  const path = compiled(root, file)
  const code = await readFile(path, 'utf8')
  const lines = (await readFile(join(root, file), 'utf8')).split('\n')
  const map = new SourceMap(JSON.parse(await readFile(`${path}.map`, 'utf8')))
  return faultsOf(code).map(({ shown, ...fault }) => {
    const before = code.slice(0, fault.start).split('\n')
    const { originalLine } = map.findEntry(before.length - 1, before.at(-1).length)
    const text = lines[originalLine].trim()
    return { ...fault, file, line: originalLine + 1, text, change: shown }
  })
}

function isSame(entry, fault) {
  return entry.file === fault.file && entry.text === fault.text && entry.change === fault.change
}

function sample(faults) {
  if (options.sample === undefined) return faults
  const drawn = faults.map((fault) => ({ fault, by: Math.random() })).sort((a, b) => a.by - b.by)
  return drawn.slice(0, Number(options.sample)).map(({ fault }) => fault)
}

/** Tries one fault after the other in a copy, and says of those that live what they are. */
async function tryAll(faults, copy, tests) {
  for (const fault of faults) {
    const reaching = tests.filter((test) => test.reaches(fault)).sort((a, b) => a.cost(fault) - b.cost(fault))
    const path = compiled(copy, fault.file)
    const code = await readFile(path, 'utf8')
    await writeFile(path, code.slice(0, fault.start) + fault.replacement + code.slice(fault.end))
    fault.killed = false
    // One by one at first, so as to learn which notice; the others together, to start but once.
    for (const group of [...reaching.slice(0, 3).map((test) => [test]), reaching.slice(3)]) {
      if (group.length === 0 || fault.killed) continue
      const seconds = group.reduce((sum, test) => sum + test.seconds, 0)
      const files = group.map((test) => test.file)
      fault.killed = !(await passes(copy, files, 10 + 3 * seconds))
      if (fault.killed && group.length === 1) group[0].kills.push(fault.file)
    }
    await writeFile(path, code)
    if (fault.killed) continue
    const seen = reaching.length === 0 ? 'no test reaches it' : `${reaching.length} test files passed`
    console.log(`${fault.file}:${fault.line}  ${fault.change}  (${seen})\n    ${fault.text}`)
  }
}

function summarize(tried, harmless, faults) {
  const score = (of) => {
    const killed = of.filter((fault) => fault.killed).length
    return `${killed} of ${of.length} killed, ${((100 * killed) / of.length).toFixed(0)} %`
  }
  for (const file of new Set(tried.map(({ file }) => file))) {
    console.log(`${file}: ${score(tried.filter((fault) => fault.file === file))}`)
  }
  console.log(`together: ${score(tried)}`)
  if (options.sample !== undefined) return
  const files = new Set(faults.map(({ file }) => file))
  for (const entry of harmless.filter(({ file }) => files.has(file))) {
    if (!faults.some((fault) => isSame(entry, fault))) {
      console.log(`test/mutants.json: no such fault any more: ${entry.file}  ${entry.change}\n    ${entry.text}`)
    }
  }
}
