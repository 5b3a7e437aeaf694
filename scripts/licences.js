/**
 * Writes THIRD-PARTY-LICENSES: the crates that the addon is made of, on every platform and with the CUDA engine, and their
 * licences. Fails if a licence is none of the permissive ones below.
 *
 *   node scripts/licences.js          writes the file
 *   node scripts/licences.js --check  fails if the file is not what would be written
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { linkedCrates } from './linked-crates.js'

const permissive = new Set([
  'MIT',
  'MIT-0',
  'Apache-2.0',
  'Apache-2.0 WITH LLVM-exception',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BSL-1.0',
  'ISC',
  'Zlib',
  'CC0-1.0',
  'Unlicense',
  'Unicode-3.0',
])

const preface = `The addon of candlewick (*.node in the npm packages of each system) contains code of the crates below, or code that they generated. Where a
crate offers a choice of licences that includes MIT, it is taken under MIT. The addon contains parts of Rust's standard library
too, by the Rust project's developers, under MIT OR Apache-2.0, and those for Linux parts of LLVM's libunwind and compiler-rt, which zig
links in, under Apache-2.0 WITH LLVM-exception. Below the list are the texts that the crates carry, each once. Written by scripts/licences.js.`

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
const file = 'THIRD-PARTY-LICENSES'
const crates = linkedCrates()

const refused = crates.filter(({ license }) => !isPermissive(license ?? 'none'))
for (const { name, version, license } of refused) console.error(`${name} ${version}: its licence is ${license}.`)
if (refused.length > 0) {
  console.error('Find another crate, or add the licence to scripts/licences.js if it is permissive.')
  process.exit(1)
}

const content = [preface, table(crates), ...texts(crates)].join(`\n\n${'-'.repeat(80)}\n\n`)
if (!process.argv.includes('--check')) {
  writeFileSync(file, content)
  console.log(`${file} names ${crates.length} crates.`)
} else if (readFileSync(file, 'utf8') !== content) {
  console.error(`${file} is not current: run node scripts/licences.js and commit it.`)
  process.exit(1)
}

/** Whether each part of an expression, as in `(MIT OR Apache-2.0) AND Unicode-3.0`, offers a permissive licence. */
function isPermissive(expression) {
  const parts = expression.replace(/[()]/g, '').split(' AND ')
  return parts.every((part) => part.split(/ OR | ?\/ ?/).some((licence) => permissive.has(licence)))
}

function table(crates) {
  const line = ({ name, version, license, repository }) =>
    `${`${name} ${version}`.padEnd(34)} ${license.padEnd(40)} ${repository ?? ''}`.trimEnd()
  return crates.map(line).join('\n')
}

/** Each licence text once, under the names of the crates that carry it. */
function texts(crates) {
  const carriers = new Map()
  for (const crate of crates) {
    const folder = dirname(crate.manifest_path)
    const names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
      entry.isFile() && /^(licen[cs]e|copying|notice|copyright|unlicense)/i.test(entry.name) ? [entry.name] : [],
    )
    const mit = names.filter((name) => /mit/i.test(name))
    for (const name of (mit.length > 0 ? mit : names).sort()) {
      const text = readFileSync(join(folder, name), 'utf8')
        .replace(/\r/g, '')
        .replace(/[ \t]+$/gm, '')
        .trim()
      carriers.set(text, [...(carriers.get(text) ?? []), `${crate.name} ${crate.version}`])
    }
  }
  return [...carriers].map(([text, names]) => `${names.join(', ')}:\n\n${text}`).concat('')
}
