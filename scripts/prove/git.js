/** npm installs from git what it builds, which needs Rust; without, it says so, and installs nothing. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { emptyProject, fails, must, run } from './project.js'

export default async function prove({ root, folder, npm }) {
  const head = (await run(root, 'git', ['rev-parse', 'HEAD'])).trim()
  const app = emptyProject(join(folder, 'git'))
  const said = await fails(app, 'npm', ['install', `git+file://${root}#${head}`], { PATH: npm.PATH })
  must(/candlewick from git is built on your machine, which needs Rust [\d.]+ or later/.test(said), said)
  must(!existsSync(join(app, 'node_modules', 'candlewick')), 'something was installed')
}
