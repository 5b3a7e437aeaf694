/**
 * A package registry of the tarballs in a folder, on this machine alone; what it does not have, it has the usual registry answer.
 * So package managers can install what is not published yet, as they will when it is.
 *
 *   node scripts/release/registry.js FOLDER PROGRAM ARGUMENT ...
 *
 * runs the program with npm_config_registry and its like set to it, and ends with it. What a package there asks for optionally and
 * is not there, is there by name: package managers look at it, and do not fetch what is for another system.
 */

import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const [folder = '', program = '', ...args] = process.argv.slice(2)
const npm = (...words) => execFileSync('npm', words, { encoding: 'utf8', shell: process.platform === 'win32' }).trim()
const usual = npm('config', 'get', 'registry').replace(/\/$/, '')

const tarballs = new Map(
  readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .map(read),
)
if (tarballs.size === 0) throw new Error(`There is no tarball in ${folder}.`)
for (const { manifest } of [...tarballs.values()]) {
  for (const [name, version] of Object.entries(manifest.optionalDependencies ?? {})) {
    if (!tarballs.has(name)) tarballs.set(name, ofAnotherSystem(name, version))
  }
}

const server = createServer(async ({ url = '/', headers }, response) => {
  const name = decodeURIComponent(url.slice(1).split('?')[0])
  const file = /^tarballs\/(.+\.tgz)$/.exec(name)?.[1]
  if (file && existsSync(join(folder, file))) return response.end(readFileSync(join(folder, file)))
  const mine = tarballs.get(name)
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

/** A tarball's name, and what a registry says of it. */
function read(file) {
  const bytes = readFileSync(join(folder, file))
  const tar = process.platform === 'win32' ? join(process.env.SystemRoot ?? '', 'System32', 'tar.exe') : 'tar'
  const manifest = JSON.parse(
    execFileSync(tar, ['-xzOf', join(folder, file), 'package/package.json'], { encoding: 'utf8' }),
  )
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
  return [manifest.name, { file, manifest, integrity, shasum: createHash('sha1').update(bytes).digest('hex') }]
}

function ofAnotherSystem(name, version) {
  const [, os, cpu, libc] = name.split('-')
  const musl = libc && os === 'linux' && { libc: [libc === 'gnu' ? 'glibc' : libc] }
  return {
    file: 'none.tgz',
    manifest: { name, version, os: [os], cpu: [cpu], ...musl },
    integrity: 'sha512-none',
    shasum: '',
  }
}

function packument({ file, manifest, integrity, shasum }, host) {
  const { name, version } = manifest
  const dist = { tarball: `http://${host}/tarballs/${file}`, integrity, shasum }
  // Long ago: pnpm and others refuse what is new.
  const time = {
    created: '2020-01-01T00:00:00.000Z',
    modified: '2020-01-01T00:00:00.000Z',
    [version]: '2020-01-01T00:00:00.000Z',
  }
  return { name, time, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}
