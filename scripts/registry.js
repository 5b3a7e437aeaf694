/**
 * A package registry on this machine, of tarballs that are not published, for as long as something is tried with them. What a package
 * there asks for optionally and is not there, is there without a binary: package managers look at it, and Deno fetches it too.
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'

const tar = process.platform === 'win32' ? join(process.env.SystemRoot ?? '', 'System32', 'tar.exe') : 'tar'
const manifestName = 'package.json'

/**
 * Starts it: with the tarballs in the folder `packages`, packages that are installed in the folders `dependencies`, and, where `usual`
 * is a registry's address, all that this has. In `folder` it puts what it makes.
 */
export async function startRegistry({ packages, dependencies = [], folder, usual }) {
  const known = packagesOf(packages, dependencies, folder)
  const server = createServer(async ({ url = '/', headers }, response) => {
    const path = decodeURIComponent(url.slice(1).split('?')[0])
    const found = known.get(path.replace(/^tarballs\/(.+)\.tgz$/, '$1'))
    if (found && path.endsWith('.tgz')) return response.end(found.tarball)
    if (found) {
      response.setHeader('content-type', 'application/json')
      return response.end(JSON.stringify(packument(found, headers.host)))
    }
    if (!usual) return response.writeHead(404).end('{"error":"not found"}')
    const answer = await fetch(usual + url, { headers: { accept: headers.accept ?? '*/*' } }).catch(() => undefined)
    response.writeHead(answer?.status ?? 502, { 'content-type': answer?.headers.get('content-type') ?? 'text/plain' })
    response.end(answer && Buffer.from(await answer.arrayBuffer()))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}

/** By their names: what each says of itself, and its tarball. */
function packagesOf(packages, dependencies, folder) {
  const known = new Map()
  const add = (manifest, tarball) => known.set(manifest.name, { manifest, tarball })
  for (const file of packages ? readdirSync(packages).filter((name) => name.endsWith('.tgz')) : []) {
    const path = join(packages, file)
    const manifest = execFileSync(tar, ['-xzOf', path, `package/${manifestName}`], { encoding: 'utf8' })
    add(JSON.parse(manifest), readFileSync(path))
  }
  if (packages && known.size === 0) throw new Error(`There is no tarball in ${packages}.`)
  for (const { manifest } of [...known.values()]) {
    for (const [name, version] of Object.entries(manifest.optionalDependencies ?? {})) {
      if (!known.has(name)) add(...withoutBinary(name, version, folder))
    }
  }
  for (const path of dependencies) {
    const { scripts, ...manifest } = JSON.parse(readFileSync(join(path, manifestName), 'utf8'))
    add(
      manifest,
      execFileSync(tar, ['-czf', '-', '--transform', 's,^[.],package,', '-C', path, '.'], { maxBuffer: 1e9 }),
    )
  }
  return known
}

function withoutBinary(name, version, folder) {
  const [, os, cpu, abi] = name.split('-')
  const libc = os === 'linux' ? { libc: [abi === 'gnu' ? 'glibc' : abi] } : {}
  const manifest = { name, version, os: [os], cpu: [cpu], ...libc }
  const home = join(folder, name)
  mkdirSync(join(home, 'package'), { recursive: true })
  writeFileSync(join(home, 'package', manifestName), JSON.stringify(manifest))
  return [manifest, execFileSync(tar, ['-czf', '-', '-C', home, 'package'])]
}

/** What a registry says of a package. */
function packument({ manifest, tarball }, host) {
  const { name, version } = manifest
  const hash = (kind, form) => createHash(kind).update(tarball).digest(form)
  const integrity = `sha512-${hash('sha512', 'base64')}`
  const dist = { tarball: `http://${host}/tarballs/${name}.tgz`, integrity, shasum: hash('sha1', 'hex') }
  const longAgo = '2020-01-01T00:00:00.000Z' // pnpm and others refuse what is new
  const time = { created: longAgo, modified: longAgo, [version]: longAgo }
  return { name, time, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}
