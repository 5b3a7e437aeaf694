/**
 * Prints what the npm package is made of as a CycloneDX software bill of materials, JSON: the npm packages that it needs, as npm itself
 * lists them, and the crates that its addons are made of, on every platform and with the CUDA engine.
 *
 *   node scripts/sbom.js > candlewick.cdx.json
 */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { linkedCrates } from './linked-crates.js'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
const args = ['sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev', '--package-lock-only']
const bill = JSON.parse(execFileSync('npm', args, { shell: process.platform === 'win32' }))
const crates = linkedCrates()
const checksums = checksumsOf(readFileSync('Cargo.lock', 'utf8'))
const { component } = bill.metadata
component.name = 'candlewick' // and not the folder's name
bill.components.push(...crates.map(describe))
// Which of our own crates needs which does not matter to who gets the addon: the package needs all of them.
bill.dependencies.find(({ ref }) => ref === component['bom-ref']).dependsOn.push(...crates.map(reference))
const referenceOf = new Map(crates.map((crate) => [crate.id, reference(crate)]))
bill.dependencies.push(
  ...crates.map((crate) => ({ ref: reference(crate), dependsOn: [...crate.needs].map((id) => referenceOf.get(id)) })),
)
console.log(JSON.stringify(bill, undefined, 2))

function reference({ name, version }) {
  return `pkg:cargo/${name}@${version}`
}

function describe(crate) {
  const { name, version, license, description } = crate
  return {
    'bom-ref': reference(crate),
    type: 'library',
    name,
    version,
    scope: 'required',
    ...(description && { description: description.trim() }),
    purl: reference(crate),
    hashes: [{ alg: 'SHA-256', content: checksums.get(`${name} ${version}`) }],
    licenses: [{ expression: license.replaceAll(/ ?\/ ?/g, ' OR ') }],
  }
}

/** Of the crates as their registry has them, by name and version. */
function checksumsOf(lock) {
  const entries = lock.matchAll(/^name = "(.+)"\nversion = "(.+)"\nsource = .*\nchecksum = "(.+)"$/gm)
  return new Map(Array.from(entries, ([, name, version, checksum]) => [`${name} ${version}`, checksum]))
}
