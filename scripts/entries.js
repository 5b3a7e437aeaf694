/**
 * Makes what else the package is entered by, once dist/ is compiled: dist/index.cjs for what cannot load ES modules, such as jest
 * on Node 20, and the types of CommonJS modules in dist/types/. Node itself takes dist/index.js both ways.
 *
 *   node scripts/entries.js [FOLDER OF THE PACKAGE]
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { buildSync } from 'esbuild'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const out = join(process.argv[2] ?? root, 'dist')

buildSync({
  entryPoints: [join(dist, 'index.js')],
  outfile: join(out, 'index.cjs'),
  bundle: true,
  external: ['pure-rand/*'], // hyparquet has ES modules alone
  banner: {
    js: `/*! Contains hyparquet:\n${readFileSync(join(root, 'node_modules/hyparquet/LICENSE'), 'utf8')}*/`,
  },
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  logOverride: { 'empty-import-meta': 'silent' }, // who needs it does with __filename
})
// Declarations are of the kind of modules that the next package.json says.
rmSync(join(out, 'types'), { recursive: true, force: true })
declare('index.d.ts')
writeFileSync(join(out, 'types/package.json'), '{ "type": "commonjs" }\n')

/** Copies a file of declarations and all that it names. */
function declare(name) {
  const copy = join(out, 'types', name)
  if (existsSync(copy)) return
  const text = readFileSync(join(dist, name), 'utf8')
  mkdirSync(dirname(copy), { recursive: true })
  writeFileSync(copy, text)
  for (const [, named] of text.matchAll(/(?:from |import\()['"](\.[^'"]+)\.js['"]/g)) {
    declare(join(dirname(name), `${named}.d.ts`))
  }
}
