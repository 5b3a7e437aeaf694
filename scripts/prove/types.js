/** The types, by TypeScript 5 and the newest, in every way of finding modules; those of candlewick are checked too. */

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { bring, run } from './project.js'

export default async function prove({ tools, app }) {
  bring(app, 'types.mts')
  for (const name of ['types.cts', 'types.ts']) copyFileSync(join(app, 'types.mts'), join(app, name))
  const both = ['types.mts', 'types.cts']
  for (const [compiler, module, resolution, files] of [
    ['typescript5', 'commonjs', 'node10', ['types.ts']],
    ['typescript5', 'node16', 'node16', both],
    ['typescript5', 'nodenext', 'nodenext', both],
    ['typescript5', 'esnext', 'bundler', both],
    ['typescript', 'node16', 'node16', both],
    ['typescript', 'nodenext', 'nodenext', both],
    ['typescript', 'esnext', 'bundler', both],
    ['typescript', 'commonjs', 'bundler', ['types.ts']],
  ]) {
    const options = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2023', '--types', 'node']
    const ways = ['--module', module, '--moduleResolution', resolution]
    const tsc = join(tools, 'node_modules', compiler, 'bin/tsc')
    await run(app, process.execPath, [
      tsc,
      ...ways,
      ...options,
      '--typeRoots',
      join(tools, 'node_modules/@types'),
      ...files,
    ])
  }
}
