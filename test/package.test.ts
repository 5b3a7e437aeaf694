/** What `npm pack` ships, and that it works elsewhere. */

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { temporaryFolder } from './idx-folder.js'

/** The files under a folder, by their paths in it. */
async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

/** A folder in whose node_modules the packages lie as npm would install them. */
async function installed(t: ExecutionContext): Promise<string> {
  const folder = await temporaryFolder(t)
  execFileSync(process.execPath, ['scripts/pack.js', join(folder, 'packages')])
  await mkdir(join(folder, 'node_modules'))
  const tarballs = (await readdir(join(folder, 'packages'))).filter((name) => name.endsWith('.tgz'))
  for (const name of tarballs) {
    execFileSync('tar', ['-xzf', join(folder, 'packages', name), '-C', folder])
    await rename(join(folder, 'package'), join(folder, 'node_modules', name.replace(/-[\d.]+\.tgz$/, '')))
  }
  const { dependencies } = JSON.parse(await readFile('package.json', 'utf8'))
  for (const name of Object.keys(dependencies)) {
    await symlink(resolve('node_modules', name), join(folder, 'node_modules', name))
  }
  return folder
}

test.serial(
  'the package works where it is installed, as a library and as a command, and has its sources in its maps',
  async (t) => {
    const cwd = await installed(t)
    const options = { cwd, encoding: 'utf8' } as const
    const asked = 'console.log(lenet().describe([1, 28, 28]).length)'
    for (const args of [
      ['--input-type=module', '--eval', `import { lenet } from 'candlewick'; ${asked}`],
      ['--input-type=commonjs', '--eval', `const { lenet } = require('candlewick'); ${asked}`],
      [
        '--input-type=commonjs',
        '--eval',
        `const { lenet } = require('./node_modules/candlewick/dist/index.cjs'); ${asked}`,
      ],
    ]) {
      t.is(execFileSync(process.execPath, args, options), '7\n')
    }
    const home = join(cwd, 'node_modules', 'candlewick')
    const { bin } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'))
    t.regex(
      execFileSync(process.execPath, [join(home, bin.candlewick), 'summary'], options),
      /^total +44426 +0 +281640$/m,
    )
    const maps = (await filesUnder(join(home, 'dist'))).filter((name) => name.endsWith('.map'))
    t.true(maps.length > 100)
    for (const name of maps) {
      const { sources, sourcesContent } = JSON.parse(await readFile(join(home, 'dist', name), 'utf8'))
      t.deepEqual(sourcesContent, [await readFile(join('dist', name, '..', sources[0]), 'utf8')], name)
    }
  },
)

/** What a compiled file imports when it is loaded, and what that does. */
async function loadedBy(file: string, seen = new Set<string>()): Promise<Set<string>> {
  if (seen.has(file)) return seen
  seen.add(file)
  if (!file.startsWith('dist')) return seen
  const imports = (await readFile(file, 'utf8')).matchAll(/^(?:import|export) (?:.*? from )?'([^']+)'/gm)
  for (const [, path = ''] of imports) await loadedBy(path.startsWith('.') ? join(file, '..', path) : path, seen)
  return seen
}

test('importing the library loads neither the command nor what only some data needs', async (t) => {
  const files = [...(await loadedBy(join('dist', 'index.js')))].filter((file) => !file.startsWith('node:'))
  t.true(files.includes(join('dist', 'training', 'fit.js')))
  t.deepEqual(
    files.filter((file) => file.includes('cli')),
    [],
  )
  const packages = files.filter((file) => !file.startsWith('dist')).map((file) => file.split('/')[0])
  t.deepEqual([...new Set(packages)], ['pure-rand'])
})

test.serial('what was compiled of a source that is gone does not stay', async (t) => {
  const stale = ['dist/stale.js', 'dist/stale.js.map', 'dist/cli/stale.d.ts', 'build/test/stale.test.js']
  for (const path of stale) {
    await writeFile(path, '')
    t.teardown(() => rm(path, { force: true }))
  }
  const before = await filesUnder('dist')
  execFileSync(process.execPath, ['scripts/remove-stale.js'])
  t.deepEqual(stale.filter(existsSync), [])
  t.deepEqual(
    await filesUnder('dist'),
    before.filter((name) => !name.includes('stale.')),
    'and all else does',
  )
})
