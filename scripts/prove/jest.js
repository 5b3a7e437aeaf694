/** jest, whose tests run in a realm of their own and, on Node 20, without ES modules. */

import { join } from 'node:path'
import { bring, nodeOf, run } from './project.js'

export default async function prove({ tools, app }) {
  bring(app, 'jest.test.cjs')
  const jest = join(tools, 'node_modules/jest/bin/jest.js')
  const config = JSON.stringify({ testMatch: ['**/jest.test.cjs'] })
  for (const node of new Set([process.execPath, nodeOf(tools, 'node24')])) {
    await run(app, node, [jest, '--config', config, '--rootDir', app])
  }
}
