import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * The crates that the addon is made of, on every platform and with the CUDA engine: its normal dependencies, by name and version, as
 * `cargo metadata` has them, each with the `needs` of its own, by their ids. Our own are not among them, but what these need is.
 */
export function linkedCrates() {
  const { targets } = JSON.parse(readFileSync('package.json', 'utf8')).napi
  const found = new Map()
  for (const target of targets) {
    const { packages, resolve } = metadata(target)
    const packageOf = new Map(packages.map((crate) => [crate.id, crate]))
    const nodeOf = new Map(resolve.nodes.map((node) => [node.id, node]))
    const reached = new Set([resolve.root])
    for (const id of reached) {
      const normal = nodeOf.get(id).deps.filter(({ dep_kinds }) => dep_kinds.some(({ kind }) => kind === null))
      for (const { pkg } of normal) reached.add(pkg)
      const crate = packageOf.get(id)
      if (crate.source === null) continue // our own
      const needs = new Set([...(found.get(id)?.needs ?? []), ...normal.map(({ pkg }) => pkg)])
      found.set(id, { ...crate, needs })
    }
  }
  const key = ({ name, version }) => `${name} ${version}`
  return [...found.values()].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

function metadata(target) {
  const manifest = ['--manifest-path', 'crates/candlewick-node/Cargo.toml']
  const args = ['metadata', '--format-version', '1', '--locked', ...manifest, '--features', 'cuda']
  return JSON.parse(execFileSync('cargo', [...args, '--filter-platform', target], { maxBuffer: 2 ** 28 }))
}
