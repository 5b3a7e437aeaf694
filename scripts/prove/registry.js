/**
 * A registry on this machine that has what `npm run pack` made, and what that depends on, and nothing else. A platform without a
 * tarball here has one with a file that is no addon.
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { platforms } from '../../dist/platforms.js'

/** Starts it, with what is in the folder `packages`, if any; `folder` is where it puts what it makes. */
export async function startRegistry({ packages, dependencies, folder }) {
  const tarballs = new Map() // by the names of packages
  if (packages) addPackages()
  for (const path of dependencies) {
    const manifest = manifestOf(path)
    delete manifest.scripts
    add(
      manifest,
      execFileSync('tar', ['-czf', '-', '--transform', 's,^[.],package,', '-C', path, '.'], { maxBuffer: 1e9 }),
    )
  }

  const server = createServer(({ url }, response) => {
    const name = decodeURIComponent(url.slice(1))
    const found = tarballs.get(name.replace(/\.tgz$/, ''))
    if (!found) return response.writeHead(404).end('{"error":"not found"}')
    if (name.endsWith('.tgz')) return response.end(found.tarball)
    const { manifest, tarball } = found
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
    const dist = { integrity, tarball: `${address()}/${name}.tgz` }
    const versions = { [manifest.version]: { ...manifest, dist } }
    response.end(JSON.stringify({ name, 'dist-tags': { latest: manifest.version }, versions }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = () => `http://127.0.0.1:${server.address().port}`
  return { address: address(), close: () => server.close() }

  function addPackages() {
    const { version, engines } = manifestOf(join(packages, 'candlewick'))
    for (const [name, { os, cpu, libc }] of Object.entries(platforms)) {
      const main = `candlewick.${name}.node`
      const stub = {
        name: `candlewick-${name}`,
        version,
        engines,
        os: [os],
        cpu: [cpu],
        ...(libc && { libc: [libc] }),
        main,
      }
      add(stub, tarOf(stub, { [main]: 'no addon' }))
    }
    for (const name of readdirSync(packages).filter((name) => existsSync(join(packages, name, 'package.json')))) {
      const manifest = manifestOf(join(packages, name))
      add(manifest, readFileSync(join(packages, `${name}-${manifest.version}.tgz`)))
    }
  }

  function add(manifest, tarball) {
    tarballs.set(manifest.name, { manifest, tarball })
  }

  function tarOf(manifest, files) {
    const home = join(folder, manifest.name)
    mkdirSync(join(home, 'package'), { recursive: true })
    const all = { 'package.json': JSON.stringify(manifest), ...files }
    for (const [name, content] of Object.entries(all)) writeFileSync(join(home, 'package', name), content)
    return execFileSync('tar', ['-czf', '-', '-C', home, 'package'])
  }
}

function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
