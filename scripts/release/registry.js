/**
 * A package registry of the tarballs in a folder, on this machine alone; what it does not have, it has the usual registry answer.
 * So package managers can install what is not published yet, as they will when it is.
 *
 *   node scripts/release/registry.js FOLDER PROGRAM ARGUMENT ...
 *
 * runs the program with npm_config_registry and its like set to it, and ends with it. What a package there asks for optionally and
 * is not there, is there without a binary: package managers look at it, and Deno fetches it too.
 */

import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const [folder = '', program = '', ...args] = process.argv.slice(2)
const npm = (...words) => execFileSync('npm', words, { encoding: 'utf8', shell: process.platform === 'win32' }).trim()
const usual = npm('config', 'get', 'registry').replace(/\/$/, '')

const tar = process.platform === 'win32' ? join(process.env.SystemRoot ?? '', 'System32', 'tar.exe') : 'tar'

const packages = new Map() // by name
for (const file of readdirSync(folder).filter((name) => name.endsWith('.tgz'))) {
  const manifest = execFileSync(tar, ['-xzOf', join(folder, file), 'package/package.json'], { encoding: 'utf8' })
  add(JSON.parse(manifest), readFileSync(join(folder, file)))
}
if (packages.size === 0) throw new Error(`There is no tarball in ${folder}.`)
for (const { manifest } of [...packages.values()]) {
  for (const [name, version] of Object.entries(manifest.optionalDependencies ?? {})) {
    if (!packages.has(name)) addWithoutBinary(name, version)
  }
}

const server = createServer(async ({ url = '/', headers }, response) => {
  const name = decodeURIComponent(url.slice(1).split('?')[0])
  const mine = packages.get(name.replace(/^tarballs\/(.+)\.tgz$/, '$1'))
  if (mine && name.endsWith('.tgz')) return response.end(mine.bytes)
  if (mine) {
    response.setHeader('content-type', 'application/json')
    return response.end(JSON.stringify(packument(mine, headers.host)))
  }
  const answer = await fetch(usual + url, { headers: { accept: headers.accept ?? '*/*' } }).catch(() => undefined)
  response.writeHead(answer?.status ?? 502, { 'content-type': answer?.headers.get('content-type') ?? 'text/plain' })
  response.end(answer && Buffer.from(await answer.arrayBuffer()))
})

server.listen(0, '127.0.0.1', () => {
  const registry = `http://127.0.0.1:${server.address().port}/`
  // As npm, pnpm, Bun and Deno read it, and as yarn does, to which http is unsafe but here.
  const env = {
    npm_config_registry: registry,
    NPM_CONFIG_REGISTRY: registry,
    YARN_NPM_REGISTRY_SERVER: registry.slice(0, -1),
  }
  const settings = { YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1', BUN_CONFIG_REGISTRY: registry }
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...env, ...settings } })
  child.once('error', (error) => {
    throw error
  })
  child.once('close', (code) => process.exit(code ?? 1))
})

function add(manifest, bytes) {
  packages.set(manifest.name, { manifest, bytes })
}

function addWithoutBinary(name, version) {
  const [, os, cpu, abi] = name.split('-')
  const libc = os === 'linux' ? { libc: [abi === 'gnu' ? 'glibc' : abi] } : {}
  const manifest = { name, version, os: [os], cpu: [cpu], ...libc }
  const home = mkdtempSync(join(tmpdir(), 'candlewick-registry-'))
  mkdirSync(join(home, 'package'))
  writeFileSync(join(home, 'package', 'package.json'), JSON.stringify(manifest))
  add(manifest, execFileSync(tar, ['-czf', '-', '-C', home, 'package']))
  rmSync(home, { recursive: true })
}

/** What a registry says of a package. */
function packument({ manifest, bytes }, host) {
  const { name, version } = manifest
  const hash = (kind, form) => createHash(kind).update(bytes).digest(form)
  const integrity = `sha512-${hash('sha512', 'base64')}`
  const dist = { tarball: `http://${host}/tarballs/${name}.tgz`, integrity, shasum: hash('sha1', 'hex') }
  const longAgo = '2020-01-01T00:00:00.000Z' // pnpm and others refuse what is new
  const time = { created: longAgo, modified: longAgo, [version]: longAgo }
  return { name, time, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}
