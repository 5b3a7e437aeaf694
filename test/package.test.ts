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

/** A folder in whose node_modules the package lies as npm would install it. */
async function installed(t: ExecutionContext): Promise<string> {
  const folder = await temporaryFolder(t)
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]
  const [{ filename }] = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' }))
  execFileSync('tar', ['-xzf', join(folder, filename), '-C', folder])
  await mkdir(join(folder, 'node_modules'))
  await rename(join(folder, 'package'), join(folder, 'node_modules', 'candlewick'))
  const { dependencies } = JSON.parse(await readFile('package.json', 'utf8'))
  for (const name of Object.keys(dependencies)) {
    await symlink(resolve('node_modules', name), join(folder, 'node_modules', name))
  }
  return folder
}

test.serial(
  'the package is what was compiled of src, with its sources in its maps, the documents and the addon',
  async (t) => {
    const folder = join(await installed(t), 'node_modules', 'candlewick')
    const compiled = (await filesUnder('src')).flatMap((source) => {
      const stem = join('dist', source.replace(/\.ts$/, ''))
      return [`${stem}.d.ts`, `${stem}.js`, `${stem}.js.map`]
    })
    const others = ['LICENSE', 'README.md', 'THIRD-PARTY-LICENSES', 'index.d.ts', 'index.js', 'package.json']
    const documents = (await filesUnder('docs')).map((name) => join('docs', name))
    const shipped = await filesUnder(folder)
    t.deepEqual(
      shipped.filter((name) => !name.endsWith('.node')),
      [...compiled, ...others, ...documents].sort(),
    )
    t.regex(shipped.filter((name) => name.endsWith('.node')).join(), /^candlewick\.[a-z0-9-]+\.node/)
    for (const name of shipped.filter((name) => name.endsWith('.map'))) {
      const { sources, sourcesContent } = JSON.parse(await readFile(join(folder, name), 'utf8'))
      t.deepEqual(sourcesContent, [await readFile(join(name, '..', sources[0]), 'utf8')], name)
    }
  },
)

test.serial('the package works where it is installed, as a library and as a command', async (t) => {
  const cwd = await installed(t)
  const program = "import { lenet } from 'candlewick'; console.log(lenet().describe([1, 28, 28]).length)"
  const options = { cwd, encoding: 'utf8' } as const
  t.is(execFileSync(process.execPath, ['--input-type=module', '--eval', program], options), '7\n')
  const { bin } = JSON.parse(await readFile('package.json', 'utf8'))
  const command = join('node_modules', 'candlewick', bin.candlewick)
  t.regex(execFileSync(process.execPath, [command, 'summary'], options), /^total +44426 +0 +281640$/m)
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
