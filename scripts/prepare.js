/**
 * npm runs this where candlewick is installed from git: it builds what the repository does not hold, or says why it can't. In a
 * clone, where npm runs it too, it does nothing: npm start and npm test make what is missing.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'

const root = join(import.meta.dirname, '..')
process.chdir(root)
const caller = relative(root, resolve(process.env.INIT_CWD ?? root)) // the folder that npm was called in
if (caller.startsWith('..') || isAbsolute(caller)) build()

function build() {
  const [, rust] = /rust-version = "(.+?)"/.exec(readFileSync('Cargo.toml', 'utf8'))
  for (const [command, what] of [
    ['cargo', `Rust ${rust} or later`],
    ...(process.platform === 'win32' ? [] : [['cc', 'a C linker']]),
  ]) {
    if (succeeds(command, ['--version'], 'ignore')) continue
    console.error(
      `candlewick from git is built on your machine, which needs ${what}, but there is no ${command} here. Install it and try ` +
        'again, or make packages in a clone elsewhere: npm run pack makes tarballs, which npm installs on machines of the same system.',
    )
    process.exit(1)
  }
  if (!succeeds('npm', ['run', '--silent', 'build'], 'inherit')) process.exit(1)
  if (!succeeds(process.execPath, ['scripts/entries.js'], 'inherit')) process.exit(1)
}

function succeeds(command, args, stdio) {
  return spawnSync(command, args, { stdio, shell: process.platform === 'win32' }).status === 0
}
