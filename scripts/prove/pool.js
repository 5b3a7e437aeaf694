/** A pool of worker threads, which train at once and come to the same. */

import { bring, must, run } from './project.js'

export default async function prove({ app }) {
  bring(app, 'worker.mjs', 'pool.mjs')
  const printed = await run(app, process.execPath, ['--no-warnings', 'pool.mjs'])
  must(printed.trim() === 'true', printed)
}
