/** vitest, in processes, in threads and in realms. */

import { join } from 'node:path'
import { bring, run } from './project.js'

export default async function prove({ tools, app }) {
  bring(app, 'vitest.spec.mjs')
  const [node, vitest] = [join(tools, 'node_modules/node22/bin/node'), join(tools, 'node_modules/vitest/vitest.mjs')]
  for (const pool of ['forks', 'threads', 'vmThreads'])
    await run(app, node, [vitest, 'run', 'vitest.spec.mjs', `--pool=${pool}`])
}
