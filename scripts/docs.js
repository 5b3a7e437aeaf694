/**
 * Builds the site of README.md, docs/ and the API reference in build/site, and writes the report of the public types,
 * reference/candlewick.api.md, which shows in review what a change does to them. Fails for what is public and says nothing of itself,
 * and for links that lead nowhere, to other sites apart. What it needs beside candlewick's own packages is installed in reference/, as
 * neither TypeDoc nor API Extractor knows TypeScript 7.
 *
 *   node scripts/docs.js          builds all, and writes the report
 *   node scripts/docs.js --check  fails if the report is not what would be written
 */

import { spawn } from 'node:child_process'
import { existsSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

process.chdir(join(dirname(dirname(fileURLToPath(import.meta.url))), 'reference'))

const installed = join('node_modules', '.package-lock.json')
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync('package-lock.json').mtimeMs) {
  console.error('Installing what builds the documents ...')
  await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
}
const site = join('..', 'build', 'site')
const documents = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs', 'crates/candlewick/README.md']
rmSync(site, { recursive: true, force: true })
await Promise.all([
  tool('api-extractor', 'run', ...(process.argv.includes('--check') ? [] : ['--local'])),
  tool('remark', '--frail', '--quiet', '--no-stdout', ...documents.map((name) => join('..', name))),
  tool('typedoc', '--logLevel', 'Warn').then(() =>
    tool(
      'linkinator',
      site,
      '--recurse',
      '--check-fragments',
      '--skip',
      '^https?://(?!localhost)',
      '--verbosity',
      'error',
    ),
  ),
])
console.log('build/site/index.html')

/** A program of reference/node_modules. */
function tool(name, ...args) {
  return run(join('node_modules', '.bin', name), args)
}

/** Its output shows where it fails, whole, as others run beside it. */
async function run(command, args) {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  })
  const ended = new Promise((resolve, reject) => child.on('error', reject).on('close', resolve))
  const output = await Promise.all([text(child.stdout), text(child.stderr)])
  if ((await ended) === 0) return
  console.error(`${[command, ...args].join(' ')} failed:\n${output.join('')}`)
  process.exit(1)
}
