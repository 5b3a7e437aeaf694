/** README's first program, as an ES module and through `require`, on each Node that is here. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, run } from './project.js'

export default async function prove({ root, tools, more, app }) {
  const [, program] = /```ts\n(import .*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8'))
  const short = program.replace(/epochs: \d+/, 'epochs: 1').replace('tryGpu()', "'cpu'")
  writeFileSync(join(app, 'readme.mjs'), short)
  const [, names, rest] = /^import (\{.*?\}) from 'candlewick'\n(.*)$/s.exec(short)
  writeFileSync(join(app, 'readme.cjs'), `const ${names} = require('candlewick')\nvoid (async () => {\n${rest}})()\n`)
  const nodes = [process.execPath, ...['node22', 'node24'].map((name) => join(tools, 'node_modules', name, 'bin/node'))]
  if (more) nodes.push(join(more, 'node_modules/node20/bin/node'))
  for (const node of nodes) {
    const version = (await run(app, node, ['--version'])).trim()
    for (const file of ['readme.mjs', 'readme.cjs']) {
      const printed = await run(app, node, ['--no-warnings', file])
      must(/^epoch 1, .*\n.*10000/ms.test(printed), `${file} on ${version} printed ${printed}`)
    }
    console.log(`  ${version}`)
  }
}
