/** README's first program, as an ES module and through `require`, on each Node that is here. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { must, nodeOf, run } from './project.js'

export default async function prove({ root, tools, more, app }) {
  const [, program] = /```ts\n(import .*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8'))
  const short = program.replace(/epochs: \d+/, 'epochs: 1').replace('tryGpu()', "'cpu'")
  writeFileSync(join(app, 'readme.mjs'), short)
  const [, names, rest] = /^import (\{.*?\}) from 'candlewick'\n(.*)$/s.exec(short)
  writeFileSync(join(app, 'readme.cjs'), `const ${names} = require('candlewick')\nvoid (async () => {\n${rest}})()\n`)
  const nodes = [process.execPath, nodeOf(tools, 'node22'), nodeOf(tools, 'node24')]
  if (more) nodes.push(nodeOf(more, 'node20'))
  for (const node of new Set(nodes)) {
    const version = (await run(app, node, ['--version'])).trim()
    for (const file of ['readme.mjs', 'readme.cjs']) {
      const printed = await run(app, node, ['--no-warnings', file])
      must(/^epoch 1, .*\n.*10000/ms.test(printed), `${file} on ${version} printed ${printed}`)
    }
    console.log(`  ${version}`)
  }
}
