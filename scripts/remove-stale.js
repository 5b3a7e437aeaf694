/**
 * Removes what the compiler made of sources that are gone, which it leaves where it is: it would ship and run. With --all it
 * removes everything that the compiler made.
 */

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))

for (const [output, source] of [
  ['dist', 'src'],
  ['build/test', 'test'],
  ['build/bench', 'bench'],
]) {
  if (process.argv.includes('--all')) rmSync(output, { recursive: true, force: true })
  else if (existsSync(output)) removeStale(output, source)
}

function removeStale(output, source) {
  for (const name of readdirSync(output, { recursive: true })) {
    const [, stem] = /^(.*?)\.(?:js|js\.map|d\.ts)$/.exec(name) ?? []
    if (stem !== undefined && !existsSync(join(source, `${stem}.ts`))) rmSync(join(output, name))
  }
}
