/** Vite's builds for servers and its own server, with candlewick left out and with everything in one file. */

import { bring, must, nodeOf, run } from './project.js'

export default async function prove({ tools, app }) {
  bring(app, 'asks.mjs', 'vite.mjs')
  const printed = await run(app, nodeOf(tools, 'node22'), ['vite.mjs'])
  must(printed.match(/^true CHECKPOINT_NOT_FOUND$/gm)?.length >= 4, printed)
}
