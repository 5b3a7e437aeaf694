/** A copy of the built package, for code that must not run where people work. */

import { spawn } from 'node:child_process'
import { cp, mkdir, readdir, symlink } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '..', '..')

const leftOut = new Set(['node_modules', 'target', '.git', 'environments'])

/** Copies everything but what is large or never changed; returns the new folder. */
export async function copyPackage(folder) {
  await cp(root, folder, { recursive: true, filter: (path) => path === root || !leftOut.has(basename(path)) })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  await mkdir(join(folder, 'tmp'))
  return folder
}

/** Test files of a copy, as ava is given them. */
export async function testFiles(folder) {
  const files = await readdir(join(folder, 'build', 'test'), { recursive: true })
  return files.filter((file) => file.endsWith('.test.js')).map((file) => join('build', 'test', file))
}

/** Runs test files in a copy; whether they pass within `seconds`. What they start ends with them. */
export async function passes(folder, files, seconds, env = {}) {
  const args = ['node_modules/ava/entrypoints/cli.mjs', '--fail-fast', ...files]
  // What faulty code writes, it writes there.
  const own = { TMPDIR: join(folder, 'tmp'), XDG_CACHE_HOME: join(folder, 'tmp') }
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...process.env, ...own, ...env },
    stdio: 'ignore',
    detached: true,
  })
  const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), 1000 * seconds)
  const status = await new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject))
  clearTimeout(timer)
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Nothing was left.
  }
  return status === 0
}
