/** vitest, in processes, in threads and in realms. */

import { join } from 'node:path'
import { bring, nodeOf, run } from './project.js'

export default async function prove({ tools, app }) {
  bring(app, 'vitest.spec.mjs')
  const [node, vitest] = [nodeOf(tools, 'node22'), join(tools, 'node_modules/vitest/vitest.mjs')]
  for (const pool of ['forks', 'threads', 'vmThreads'])
    await run(app, node, [vitest, 'run', 'vitest.spec.mjs', `--pool=${pool}`])
}
