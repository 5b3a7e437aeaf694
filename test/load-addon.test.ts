/** What is said where the addon cannot be loaded, and that it is found wherever it may be. */

import { spawn } from 'node:child_process'
import { copyFile, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CandlewickError } from 'candlewick'
import { addonUnavailable } from '#dist/addon-unavailable.js'
import { platforms } from '#dist/platforms.js'
import { temporaryFolder } from './idx-folder.js'
import { finish } from './run-command.js'

const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
const abi = { linux: header.glibcVersionRuntime ? '-gnu' : '-musl', win32: '-msvc' }[process.platform as string] ?? ''
const name = `${process.platform}-${process.arch}${abi}`
const here = `candlewick.${name}.node`

/** A project in whose node_modules candlewick is, without an addon. */
async function project(t: ExecutionContext): Promise<string> {
  const folder = await temporaryFolder(t)
  const home = join(folder, 'node_modules', 'candlewick')
  await mkdir(home, { recursive: true })
  await cp('dist', join(home, 'dist'), { recursive: true })
  await copyFile('package.json', join(home, 'package.json'))
  for (const name of ['hyparquet', 'pure-rand']) {
    await symlink(resolve('node_modules', name), join(folder, 'node_modules', name))
  }
  return folder
}

/** Installs a platform's package, with a binary that `make` writes. */
async function install(folder: string, platform: string, make: (path: string) => Promise<unknown>): Promise<void> {
  const home = join(folder, 'node_modules', `candlewick-${platform}`)
  await mkdir(home)
  const main = `candlewick.${platform}.node`
  await writeFile(join(home, 'package.json'), JSON.stringify({ name: `candlewick-${platform}`, main }))
  await make(join(home, main))
}

/** What importing candlewick comes to, on a platform that Node is told that it is on. */
async function imported(folder: string, { platform = process.platform, arch = process.arch } = {}): Promise<string> {
  const program = `
    for (const [name, value] of Object.entries(${JSON.stringify({ platform, arch })})) {
      Object.defineProperty(process, name, { value })
    }
    const { message, code = 'loaded' } = await import('candlewick').then(() => ({}), (error) => error)
    console.log(code, message)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { cwd: folder })
  const { stdout, stderr } = await finish(child)
  return stdout + stderr
}

test('the package of the platform is taken, and a file that was built in the folder before it', async (t) => {
  const folder = await project(t)
  await install(folder, name, (path) => symlink(resolve(here), path))
  t.is(await imported(folder), 'loaded undefined\n')
  const another = await project(t)
  await install(another, name, (path) => writeFile(path, 'no addon'))
  await copyFile(here, join(another, 'node_modules', 'candlewick', here))
  t.is(await imported(another), 'loaded undefined\n')
})

test('where nothing is installed, it says how to install what optional dependencies are', async (t) => {
  const said = await imported(await project(t))
  t.regex(said, new RegExp(`^ADDON_UNAVAILABLE candlewick's addon cannot be loaded on ${name}, Node v\\d`))
  t.true(said.includes(`- the file ${here}: not there\n- candlewick-${name}: not there\n`), said)
  t.regex(said, /npm install --include=optional candlewick/)
  t.regex(said, new RegExp(`npm install --os=${process.platform} --cpu=${process.arch} .*candlewick`))
  t.notRegex(said, /node_modules has what another system needs/)
})

test('the command says the same, without a stack', async (t) => {
  const folder = await project(t)
  const child = spawn(process.execPath, [join(folder, 'node_modules', 'candlewick', 'dist', 'cli.js'), 'devices'])
  const { end, stderr } = await finish(child)
  t.is(end, 1)
  t.regex(stderr, /^candlewick: candlewick's addon cannot be loaded on .*\nTried:\n/)
  t.notRegex(stderr, /\n +at /)
})

test('what another system needs is named', async (t) => {
  const folder = await project(t)
  await install(folder, 'win32-arm64-msvc', (path) => writeFile(path, ''))
  t.regex(await imported(folder), /node_modules has what another system needs \(win32-arm64-msvc\)/)
})

test('a damaged file is called that', async (t) => {
  const folder = await project(t)
  await install(folder, name, (path) => writeFile(path, 'no addon'))
  const said = await imported(folder)
  t.regex(said, new RegExp(`^ADDON_UNAVAILABLE [\\s\\S]*- candlewick-${name}: \\S`))
  t.regex(said, /is damaged, or of another system: remove node_modules and install again/)
})

const onGlibc = name.endsWith('-gnu') ? test : test.skip

onGlibc('a glibc that is too old is named, with what is needed', async (t) => {
  const folder = await project(t)
  const addon = await readFile(here, 'latin1')
  // The newest version that the addon asks for becomes one that is nowhere.
  const newest = [...addon.matchAll(/GLIBC_2\.\d\d/g)]
    .map(([version]) => version)
    .sort()
    .at(-1) as string
  await install(folder, name, (path) => writeFile(path, addon.replaceAll(newest, 'GLIBC_2.99'), 'latin1'))
  t.regex(
    await imported(folder),
    /- glibc 2\.99 or newer is needed, but this system has 2\.\d+: use a newer release of it/,
  )
})

test('systems that there is no package for are told which there are', async (t) => {
  const folder = await project(t)
  const said = await imported(folder, { platform: 'freebsd', arch: 'x64' })
  t.regex(said, /cannot be loaded on freebsd-x64/)
  t.true(said.includes(Object.keys(platforms).join(', ')), said)
  t.regex(await imported(folder, { platform: 'win32', arch: 'ia32' }), /ia32-msvc[\s\S]*use a Node of 64 bits/)
})

const missing = { what: 'candlewick-linux-x64-musl', isMissing: true, reason: 'Cannot find module' }
const alone = { others: [], isBundled: false }

test('each failure of a loader has its advice', (t) => {
  for (const [reason, expected] of [
    ['Error loading shared library ld-linux-x86-64.so.2: No such file (needed by x.node)', /of another C library/],
    ['libc.musl-x86_64.so.1: cannot open shared object file: No such file or directory', /of another C library/],
    ['Error loading shared library libgcc_s.so.1: No such file or directory', /library libgcc_s\.so\.1 .*apk add/],
    ["/lib/libc.so.6: version `GLIBC_2.34' not found (required by x.node)", /glibc 2\.34 or newer .* has 2\.28/],
    ['\\\\?\\C:\\x.node is not a valid Win32 application.', /is damaged, or of another system/],
  ] as const) {
    const system = { name: 'linux-x64-musl', glibc: '2.28' }
    const error = addonUnavailable(system, [missing, { what: 'it', isMissing: false, reason }], alone)
    t.true(error instanceof CandlewickError)
    t.is(error.code, 'ADDON_UNAVAILABLE')
    t.regex(error.message, expected)
    t.true(error.message.includes(`- it: ${reason}\n`))
  }
  const { message } = addonUnavailable({ name: 'linux-x64-musl' }, [missing], alone)
  t.regex(message, /npm install --os=linux --cpu=x64 --libc=musl candlewick/)
})

test('each platform has its line in the loader, by which tools find its package', async (t) => {
  const loader = await readFile('dist/load-addon.js', 'utf8')
  for (const platform of Object.keys(platforms)) {
    t.true(loader.includes(`'${platform}': () => require('candlewick-${platform}'),`), platform)
  }
})
