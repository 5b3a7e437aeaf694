/**
 * npm installs from git what it builds, which needs Rust; without, it says so, and installs nothing. What cargo would build is
 * taken from this checkout.
 */

import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bring, emptyProject, fails, must, run } from './project.js'

export default async function prove({ root, folder, npm }) {
  const clone = join(folder, 'clone')
  await run(folder, 'git', ['clone', '--quiet', root, clone])
  const build = `cp ${root}/candlewick.*.node .`
  await run(clone, 'npm', ['pkg', 'set', `scripts.build:native=${build}`])
  const author = ['-c', 'user.name=proof', '-c', 'user.email=proof@localhost']
  await run(clone, 'git', [...author, 'commit', '--quiet', '--all', '--message', 'The addon is built already'])
  const app = emptyProject(join(folder, 'git'))
  const install = ['npm', ['install', `git+file://${clone}`], { PATH: npm.PATH }]

  const said = await fails(app, ...install)
  must(/candlewick from git is built on your machine, which needs Rust [\d.]+ or later/.test(said), said)
  must(!existsSync(join(app, 'node_modules', 'candlewick')), 'something was installed')

  for (const name of ['cargo', 'cc', 'cp']) {
    const path = join(npm.PATH, name)
    writeFileSync(path, name === 'cp' ? '#!/bin/sh\nexec /bin/cp "$@"\n' : '#!/bin/sh\n')
    chmodSync(path, 0o755)
  }
  await run(app, ...install)
  bring(app, 'trains.mjs', 'asks.cjs')
  for (const program of ['trains.mjs', 'asks.cjs']) await run(app, process.execPath, [program])
  must(existsSync(join(app, 'node_modules/candlewick/dist/index.cjs')), 'the entry for CommonJS is missing')
}
