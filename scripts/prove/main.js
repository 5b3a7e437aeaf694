/**
 * Shows that what `npm run pack` makes works where it is installed: packs it, installs it from a registry of its own into an empty
 * folder without Rust on the path, and tries it with what others will. Each proof is a file of this folder.
 *
 *   node scripts/prove/main.js             those of .ci/run
 *   node scripts/prove/main.js --all       the slow ones too
 *   node scripts/prove/main.js types jest  these
 *
 * The tools are installed once, into target/prove; with REQUIRE=0, what needs them is skipped where they can't be had.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { startRegistry } from '../registry.js'
import { emptyProject, pathWithoutCompilers, run } from './project.js'

const quick = ['content', 'install', 'nodes', 'types', 'lint', 'esbuild', 'vite', 'jest', 'vitest', 'pool']
const slow = ['next', 'git']

const { values, positionals } = parseArgs({ allowPositionals: true, options: { all: { type: 'boolean' } } })
const chosen = positionals.length > 0 ? positionals : values.all ? [...quick, ...slow] : quick
process.chdir(join(import.meta.dirname, '../..'))

const root = process.cwd()
const packages = resolve('build/packages')
const folder = mkdtempSync(join(tmpdir(), 'candlewick-'))
const registries = []
try {
  await timed('pack', () => run(root, 'node', ['scripts/pack.js']))
  const dependencies = [resolve('node_modules/hyparquet'), resolve('node_modules/pure-rand')]
  registries.push(await startRegistry({ packages, dependencies, folder: join(folder, 'made') }))
  registries.push(await startRegistry({ dependencies, folder }))
  const path = pathWithoutCompilers(join(folder, 'bin'))
  const npm = { PATH: path, npm_config_registry: registries[0].address, npm_config_cache: join(folder, 'cache') }
  /** Of today, when nothing of candlewick is published. */
  const npmToday = { ...npm, npm_config_registry: registries[1].address, npm_config_cache: join(folder, 'cache-today') }
  const needsTools = chosen.some(needing)
  const tools = needsTools && (await timed('tools', () => tooled('.').catch(withoutTools)))
  const more = (values.all || chosen.includes('next')) && (await timed('more tools', () => tooled('more')))
  const app = tools && (await appIn(tools, npm))
  for (const name of chosen.filter((name) => tools || !needing(name))) {
    const { default: prove } = await import(`./${name}.js`)
    await timed(name, () => prove({ root, packages, folder, npm, npmToday, tools, more, app }))
  }
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  for (const { close } of registries) close()
  rmSync(folder, { recursive: true, force: true })
}

async function timed(name, prove) {
  const begin = performance.now()
  const result = await prove()
  console.log(`${name}: ${((performance.now() - begin) / 1000).toFixed(1)} s`)
  return result
}

function needing(name) {
  return name !== 'content' && name !== 'install'
}

function withoutTools(error) {
  if (process.env.REQUIRE !== '0') throw error
  console.log(
    'skipped: the tools could not be installed; what the packages hold and that they can be installed is tried all the same',
  )
}

/** A project below the tools, which find each other there, with candlewick installed. */
async function appIn(home, npm) {
  const app = emptyProject(join(home, 'app'), { type: 'module' })
  await run(app, 'npm', ['install', 'candlewick'], npm)
  return app
}

/** The folder where the tools of a lock file are installed; they stay there for the next time. */
async function tooled(which) {
  const lock = readFileSync(join(import.meta.dirname, which, 'package-lock.json'), 'utf8')
  const home = resolve('target/prove', which === '.' ? 'tools' : which)
  const mark = join(home, 'installed.json')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === lock) return home
  emptyProject(home)
  for (const [name, text] of [
    ['package.json', readFileSync(join(import.meta.dirname, which, 'package.json'), 'utf8')],
    ['package-lock.json', lock],
  ]) {
    writeFileSync(join(home, name), text)
  }
  await run(home, 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(mark, lock)
  return home
}
