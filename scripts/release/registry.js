/**
 * Runs a program that installs packages, with a registry of the tarballs in a folder; what is not among them it has from the usual
 * registry. So package managers can install what is not published yet, as they will when it is.
 *
 *   node scripts/release/registry.js FOLDER PROGRAM ARGUMENT ...
 */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRegistry } from '../registry.js'

const [packages = '', program = '', ...args] = process.argv.slice(2)
const npm = (...words) => execFileSync('npm', words, { encoding: 'utf8', shell: process.platform === 'win32' }).trim()
const usual = npm('config', 'get', 'registry').replace(/\/$/, '')

const folder = mkdtempSync(join(tmpdir(), 'candlewick-registry-'))
try {
  const { address, close } = await startRegistry({ packages, folder, usual })
  // As npm, pnpm and Deno read it, as yarn does, to which http is unsafe but here, and as Bun does.
  const npmLike = { npm_config_registry: `${address}/`, NPM_CONFIG_REGISTRY: `${address}/` }
  const yarn = { YARN_NPM_REGISTRY_SERVER: address, YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1' }
  const env = { ...process.env, ...npmLike, ...yarn, BUN_CONFIG_REGISTRY: `${address}/` }
  const [code] = await once(spawn(program, args, { stdio: 'inherit', env }), 'close')
  process.exitCode = code ?? 1
  close()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
