/** publint and Are The Types Wrong have nothing to say of the packages. */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { must, run } from './project.js'

export default async function prove({ packages, tools }) {
  for (const name of readdirSync(packages).filter((name) => name.endsWith('.tgz'))) {
    const publint = join(tools, 'node_modules/publint/src/cli.js')
    const said = await run(packages, process.execPath, [publint, name, '--strict'])
    must(said.includes('All good!'), said)
    const attw = join(tools, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    if (/^candlewick-\d/.test(name)) await run(packages, process.execPath, [attw, name])
  }
}
