/** The types, by TypeScript 5 and the newest, in every way of finding modules; those of candlewick are checked too. */

import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bring, run } from './project.js'

export default async function prove({ tools, app }) {
  bring(app, 'types.mts')
  for (const name of ['types.cts', 'types.ts']) copyFileSync(join(app, 'types.mts'), join(app, name))
  const both = ['types.mts', 'types.cts']
  for (const [compiler, module, moduleResolution, files] of [
    ['typescript5', 'commonjs', 'node10', ['types.ts']],
    ['typescript5', 'node16', 'node16', both],
    ['typescript5', 'nodenext', 'nodenext', both],
    ['typescript5', 'esnext', 'bundler', both],
    ['typescript', 'node16', 'node16', both],
    ['typescript', 'nodenext', 'nodenext', both],
    ['typescript', 'esnext', 'bundler', both],
    ['typescript', 'commonjs', 'bundler', ['types.ts']],
  ]) {
    const types = { types: ['node'], typeRoots: [join(tools, 'node_modules/@types')] }
    const strictness = { noEmit: true, strict: true, skipLibCheck: false, target: 'es2023', lib: ['es2023'] }
    const compilerOptions = { ...strictness, ...types, module, moduleResolution }
    writeFileSync(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    await run(app, process.execPath, [join(tools, 'node_modules', compiler, 'bin/tsc'), '--project', app])
  }
}
