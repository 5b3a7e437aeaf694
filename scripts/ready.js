/**
 * Makes a checkout ready to run: installs npm packages, builds the addon and the TypeScript, looks for the data. Does only
 * what is not done already, and explains what it cannot do.
 *
 *   node scripts/ready.js
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

checkNode()
if (isOlder('node_modules/.package-lock.json', ['package-lock.json'])) {
  console.error('Installing npm packages ...')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
}
const sources = ['Cargo.toml', 'Cargo.lock', 'crates']
if (addons().length === 0 || addons().some((addon) => isOlder(addon, sources))) {
  checkRust()
  console.error('Building the addon (two minutes the first time) ...')
  run('npm', ['run', '--silent', ...buildLikeThis()])
}
run('npm', ['run', '--silent', 'build:ts']) // knows itself what is done already
await lookForData()

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)) return
  giveUp(`candlewick needs Node 20.19 or later of 20, or 22.12 or later, but this is ${process.version}.`)
}

function checkRust() {
  if (!works('cargo', ['--version'])) {
    const { workspace } = /rust-version = "(?<workspace>[^"]+)"/.exec(readFileSync('Cargo.toml', 'utf8'))?.groups ?? {}
    giveUp(
      `Building candlewick needs Rust ${workspace} or later, but there is no cargo here; install Rust with rustup.`,
    )
  }
  if (!works('cc', ['--version'])) {
    giveUp('Building candlewick needs a C linker, but there is no cc here; on Debian, apt-get install build-essential.')
  }
}

/** Debian has Fashion-MNIST in a package. Where that can't be had, candlewick downloads it or says what to do. */
async function lookForData() {
  const { findFashionMnist } = await import('../dist/data/fashion-mnist.js')
  if (await findFashionMnist()) return
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) return
  console.error('Installing the Debian package dataset-fashion-mnist ...')
  const install = ['install', '-y', '-qq', 'dataset-fashion-mnist']
  if (!works('apt-get', install)) works('apt-get', ['update', '-qq']) && works('apt-get', install)
}

/** The addons for this machine. */
function addons() {
  const musl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime
  const start = `candlewick.${process.platform}-${process.arch}`
  return readdirSync('.').filter(
    (name) => name.startsWith(start) && name.endsWith('.node') && name.endsWith('-musl.node') === musl,
  )
}

/** What builds an addon with the devices of the one that is here. */
function buildLikeThis() {
  const [addon] = addons()
  const program = `const { devices } = require('./${addon}'); console.log(JSON.stringify([...devices(), ...devices('candle')]))`
  const { status, stdout } = spawnSync(process.execPath, ['--eval', program], { encoding: 'utf8' })
  const lacks = (what) => status !== 0 || stdout.includes(`this build of candlewick has no ${what}`)
  if (!lacks('CUDA engine')) return lacks('CUDA for the engine') ? ['build:cuda'] : ['build:cuda', '--', '--candle']
  const hasMetal = stdout.includes('"metal"') && !lacks('Metal')
  return hasMetal ? ['build:native', '--', '--features', 'metal'] : ['build:native']
}

/** Whether `product` is missing or older than one of its sources. */
function isOlder(product, sources) {
  if (!existsSync(product)) return true
  const made = statSync(product).mtimeMs
  return sources.some((source) => existsSync(source) && newest(source) > made)
}

function newest(path) {
  const found = statSync(path)
  if (!found.isDirectory()) return found.mtimeMs
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 2, 2], shell: process.platform === 'win32' })
  if (status !== 0) giveUp(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}.`)
}

function works(command, args) {
  return spawnSync(command, args, { stdio: 'ignore', shell: process.platform === 'win32' }).status === 0
}

function giveUp(explanation) {
  console.error(explanation)
  process.exit(1)
}
