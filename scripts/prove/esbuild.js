/** esbuild makes one file of candlewick and a program, of either kind of modules, from either; it finds the addon where that is installed. */

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { bring, emptyProject, fails, must, run } from './project.js'

export default async function prove({ folder, tools, app }) {
  bring(app, 'asks.mjs', 'asks.cjs')
  const esbuild = join(tools, 'node_modules/esbuild/bin/esbuild')
  for (const source of ['asks.mjs', 'asks.cjs']) {
    for (const [format, ending] of [
      ['esm', 'mjs'],
      ['cjs', 'cjs'],
    ]) {
      const file = `one-${source.replace('.', '-')}.${ending}`
      const options = ['--bundle', '--platform=node', `--format=${format}`, `--outfile=${file}`, '--log-level=warning']
      const warned = await run(app, esbuild, [source, ...options])
      must(warned === '', warned)
      const printed = await run(app, process.execPath, [file])
      must(printed === 'true CHECKPOINT_NOT_FOUND\n', printed)
    }
  }
  // Away from what is installed, it says how to bundle.
  const elsewhere = emptyProject(join(folder, 'elsewhere'))
  copyFileSync(join(app, 'one-asks-mjs.mjs'), join(elsewhere, 'one.mjs'))
  const said = await fails(elsewhere, process.execPath, ['one.mjs'])
  must(said.includes('--external:candlewick'), said)
}
