/**
 * Packs what is published, into build/packages or another folder: candlewick itself, without a binary, and a package for each system
 * whose addon lies here (candlewick.<system>.node). Prints the tarballs' names.
 *
 *   npm run pack -- [FOLDER]
 */

import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { platforms } from '../dist/platforms.js'

process.chdir(join(import.meta.dirname, '..'))
const out = resolve(process.argv[2] ?? 'build/packages')
const own = JSON.parse(readFileSync('package.json', 'utf8'))
// Where it was built, which provenance is held against; a clone does not know.
const { GITHUB_REPOSITORY } = process.env
const origin = GITHUB_REPOSITORY && {
  repository: { type: 'git', url: `git+https://github.com/${GITHUB_REPOSITORY}.git` },
}

rmSync(out, { recursive: true, force: true })
for (const [name, platform] of Object.entries(platforms)) {
  if (existsSync(`candlewick.${name}.node`)) packPlatform(name, platform)
}
packMain()

function packPlatform(name, { os, cpu, libc }) {
  const file = `candlewick.${name}.node`
  const folder = copied(`candlewick-${name}`, [file, 'LICENSE', 'THIRD-PARTY-LICENSES'])
  const { version, license, engines } = own
  writePackage(folder, {
    name: `candlewick-${name}`,
    version,
    description: `The addon of candlewick for ${name}`,
    license,
    ...origin,
    engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    type: 'commonjs',
    main: file,
    files: [file, 'THIRD-PARTY-LICENSES'],
  })
  writeFileSync(
    join(folder, 'README.md'),
    `The addon of candlewick for ${name}, which candlewick itself depends on: install that.\n`,
  )
  pack(folder)
}

function packMain() {
  const { scripts, devDependencies, napi, ava, imports, ...published } = own
  const [{ files }] = JSON.parse(npm('pack', '--dry-run', '--json', '--ignore-scripts'))
  const belongs = (path) => !/^dist\/(?:index\.cjs$|.*\.d\.ts$|types\/)|\.node$|^package\.json$|^THIRD-PARTY/.test(path)
  const folder = copied('candlewick', files.map(({ path }) => path).filter(belongs))
  execFileSync(process.execPath, ['scripts/entries.js', folder])
  // One declaration of each type, whichever way it is come by.
  writeFileSync(join(folder, 'dist/index.d.ts'), "export * from './types/index.js'\n")
  writePackage(folder, {
    ...published,
    ...origin,
    files: ['dist', 'docs'],
    optionalDependencies: Object.fromEntries(Object.keys(platforms).map((name) => [`candlewick-${name}`, own.version])),
  })
  pack(folder)
}

/** A folder with copies of these files. */
function copied(name, files) {
  const folder = join(out, name)
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    copyFileSync(file, join(folder, file))
  }
  return folder
}

function writePackage(folder, content) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(content, null, 2)}\n`)
}

function pack(folder) {
  const [{ filename, size }] = JSON.parse(npm('pack', folder, '--json', '--pack-destination', out))
  console.log(`${out}/${filename}  ${(size / 1e6).toFixed(1)} MB`)
}

function npm(...args) {
  return execFileSync('npm', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  })
}
