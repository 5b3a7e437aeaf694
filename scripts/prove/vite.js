/** Vite's builds for servers and its own server, with candlewick left out and with everything in one file. */

import { join } from 'node:path'
import { bring, must, run } from './project.js'

export default async function prove({ tools, app }) {
  bring(app, 'asks.mjs', 'vite.mjs')
  const printed = await run(app, join(tools, 'node_modules/node22/bin/node'), ['vite.mjs'])
  must(printed.match(/^true CHECKPOINT_NOT_FOUND$/gm)?.length >= 4, printed)
}
