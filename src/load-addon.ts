/**
 * Finds the addon: the file that was built in this folder, or the package for this system. Where candlewick was put into one file
 * with a program, it is looked for where candlewick is installed.
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { type Attempt, addonUnavailable, type System } from './addon-unavailable.js'
import { codeOf, messageOf } from './errors.js'
import type * as Native from './native.js'
import { platforms } from './platforms.js'

const here = createRequire(import.meta.url ?? __filename) // the former is not there where this was made CommonJS

/** Each name is written out behind a `require` of just this form, by which tools find what files a program needs. */
function requirePackage(name: string): unknown {
  if (!import.meta.url) return here(`candlewick-${name}`)
  const require = createRequire(import.meta.url)
  const packages: Record<string, () => unknown> = {
    'linux-x64-gnu': () => require('candlewick-linux-x64-gnu'),
    'linux-arm64-gnu': () => require('candlewick-linux-arm64-gnu'),
    'linux-x64-musl': () => require('candlewick-linux-x64-musl'),
    'linux-arm64-musl': () => require('candlewick-linux-arm64-musl'),
    'darwin-x64': () => require('candlewick-darwin-x64'),
    'darwin-arm64': () => require('candlewick-darwin-arm64'),
    'win32-x64-msvc': () => require('candlewick-win32-x64-msvc'),
    'win32-arm64-msvc': () => require('candlewick-win32-arm64-msvc'),
  }
  return packages[name]?.()
}

/** Loads the addon; where none can be loaded, the error says what was tried and what to do. */
export function loadAddon(): typeof Native {
  const system = thisSystem()
  const attempts: Attempt[] = []
  for (const [what, load] of ways(system.name)) {
    try {
      return load() as typeof Native
    } catch (error) {
      attempts.push({ what, isMissing: codeOf(error) === 'MODULE_NOT_FOUND', reason: messageOf(error) })
    }
  }
  const others = Object.keys(platforms).filter((name) => resolved(`candlewick-${name}/package.json`))
  throw addonUnavailable({ ...system, glibc: reportedGlibc() }, attempts, { others, isBundled: !isInItsPackage() })
}

function* ways(name: string): Generator<[what: string, load: () => unknown]> {
  const file = `candlewick.${name}.node`
  yield [`the file ${file}`, () => here(`../${file}`)]
  if (platforms[name]) yield [`candlewick-${name}`, () => requirePackage(name)]
  const installed = resolved('candlewick/package.json')
  if (installed === undefined || isInItsPackage()) return
  const [requireThere, there] = [createRequire(installed), dirname(installed)]
  yield [join(there, file), () => requireThere(`./${file}`)]
  yield [`candlewick-${name} of ${there}`, () => requireThere(`candlewick-${name}`)]
}

function isInItsPackage(): boolean {
  const installed = resolved('candlewick/package.json')
  return installed !== undefined && installed === resolved('../package.json')
}

function resolved(path: string): string | undefined {
  try {
    return here.resolve(path)
  } catch {
    return undefined
  }
}

function thisSystem(): System {
  const { platform, arch } = process
  const rest = { win32: '-msvc', linux: isMusl() ? '-musl' : '-gnu' }[platform as string] ?? ''
  return { name: `${platform}-${arch}${rest}` }
}

/** Whether this process runs on musl's C library. What is mapped tells it soonest: a report takes some ten milliseconds. */
function isMusl(): boolean {
  if (process.platform !== 'linux') return false
  try {
    const maps = readFileSync('/proc/self/maps', 'latin1')
    if (/\/(?:ld|libc)[-.]musl-/.test(maps)) return true
    if (/\/(?:ld-linux|libc\.so\.6)/.test(maps)) return false
  } catch {
    // not every sandbox shows it
  }
  return reportedGlibc() === undefined
}

function reportedGlibc(): string | undefined {
  const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined // not every runtime has it
  if (!report) return undefined
  const { excludeNetwork } = report
  Object.assign(report, { excludeNetwork: true }) // else it looks up names
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } }
  Object.assign(report, { excludeNetwork })
  return header?.glibcVersionRuntime
}
