/** Next.js's standalone output, with candlewick left out of the bundle, takes all that it needs along. */

import { spawn } from 'node:child_process'
import { cpSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { bring, emptyProject, must, run } from './project.js'

const port = 39_417

export default async function prove({ folder, npm, more }) {
  const site = emptyProject(join(folder, 'next'), { dependencies: { candlewick: '*' } })
  await run(site, 'npm', ['install'], npm)
  for (const name of readdirSync(join(more, 'node_modules')).filter((name) => !/^node|^\.bin/.test(name))) {
    cpSync(join(more, 'node_modules', name), join(site, 'node_modules', name), { recursive: true })
  }
  bring(folder, 'next')
  await run(site, process.execPath, ['node_modules/next/dist/bin/next', 'build'], { NEXT_TELEMETRY_DISABLED: '1' })

  const alone = join(folder, 'standalone')
  cpSync(join(site, '.next/standalone'), alone, { recursive: true })
  const env = { ...process.env, PORT: `${port}`, HOSTNAME: '127.0.0.1' }
  const server = spawn(process.execPath, ['server.js'], { cwd: alone, env, stdio: 'ignore' })
  try {
    const said = await answer(`http://127.0.0.1:${port}/answer`)
    must(said === 'true CHECKPOINT_NOT_FOUND', `the site answered ${said}`)
  } finally {
    server.kill()
  }
}

/** What a server says, once it is up. */
async function answer(url, tries = 100) {
  try {
    return await (await fetch(url)).text()
  } catch (error) {
    if (tries === 0) throw error
    await setTimeout(300)
    return answer(url, tries - 1)
  }
}
