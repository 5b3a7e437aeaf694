/** Projects into which candlewick is installed, and what runs in them. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'

export const programs = join(import.meta.dirname, 'programs')

/** An empty folder with the project's package.json. */
export function emptyProject(folder, manifest = {}) {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'project', private: true, ...manifest }))
  return folder
}

/** Runs a program of this repository, or another, in a folder; what it printed. It is an error if the program fails. */
export async function run(folder, command, args, env = {}) {
  const child = spawn(command, args, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  const [code] = await closed
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}${stderr}`)
  return stdout + stderr
}

/** As `run`, for what is to fail; what it printed. */
export async function fails(folder, command, args, env) {
  const printed = await run(folder, command, args, env).catch(({ message }) => ({ message }))
  if (typeof printed === 'string')
    throw new Error(`${command} ${args.join(' ')} should have failed, but printed:\n${printed}`)
  return printed.message
}

/** A path for programs on which there is Node, npm and a shell, and neither Rust nor a compiler. */
export function pathWithoutCompilers(folder) {
  mkdirSync(folder, { recursive: true })
  for (const name of ['sh', 'env', 'uname', 'sed', 'basename', 'git']) {
    const found = process.env.PATH.split(delimiter).find((path) => readdirSafely(path).includes(name))
    if (found) symlinkSync(join(found, name), join(folder, name))
  }
  const npm = process.env.PATH.split(delimiter).find((path) => readdirSafely(path).includes('npm'))
  symlinkSync(join(npm, 'npm'), join(folder, 'npm'))
  symlinkSync(process.execPath, join(folder, 'node'))
  return folder
}

function readdirSafely(path) {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** Copies programs beside what is installed. */
export function bring(folder, ...names) {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    cpSync(join(programs, name), join(folder, name), { recursive: true })
  }
}

/** A Node of the tools; this one where there is none for this system. */
export function nodeOf(tools, name) {
  const node = join(tools, 'node_modules', name, 'bin/node')
  return existsSync(node) ? node : process.execPath
}

export function must(holds, complaint) {
  if (!holds) throw new Error(complaint)
}
