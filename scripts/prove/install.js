/** `npm install candlewick` into an empty folder, where there is no Rust; and what is said where it was done in a way that can't work. */

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { bring, emptyProject, fails, must, run } from './project.js'

const works = '[true,true,"CHECKPOINT_NOT_FOUND",true]'

export default async function prove({ packages, folder, npm, npmToday }) {
  const { report } = process
  const libc = report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl'
  const here = [
    `--os=${process.platform}`,
    `--cpu=${process.arch}`,
    ...(process.platform === 'linux' ? [`--libc=${libc}`] : []),
  ]
  const app = emptyProject(join(folder, 'install'))
  bring(app, 'trains.mjs')
  const install = (...args) => run(app, 'npm', ['install', ...args], npm)
  const trains = async () => {
    const printed = await run(app, 'node', ['--no-warnings', 'trains.mjs'], npm)
    must(printed.includes(works), `it printed ${printed}`)
  }
  const refusal = () => fails(app, 'node', ['trains.mjs'], npm)

  await install('candlewick')
  const [platform, ...others] = readdirSync(join(app, 'node_modules')).filter((name) => name.startsWith('candlewick-'))
  must(
    platform?.includes(`${process.platform}-${process.arch}`) && others.length === 0,
    `installed are ${platform}, ${others}`,
  )
  await trains()
  const command = join(app, 'node_modules', '.bin', 'candlewick')
  must((await run(app, command, ['summary'], npm)).includes('44426'), 'the command does not work')

  // A lock file of another system, and what the error says to do.
  rmSync(join(app, 'node_modules'), { recursive: true })
  rmSync(join(app, 'package-lock.json'))
  await install('--os=darwin', '--cpu=arm64')
  must(existsSync(join(app, 'node_modules', 'candlewick-darwin-arm64')), 'npm did not install for macOS')
  const foreign = await refusal()
  must(/ADDON_UNAVAILABLE/.test(foreign) && foreign.includes('needs (darwin-arm64)'), foreign)
  must(foreign.includes(`npm install ${here.join(' ')} candlewick`), foreign)
  await install(...here, 'candlewick')
  await trains()
  await run(app, 'npm', ['ci'], npm)
  await trains()

  // Optional dependencies left out.
  await install('--omit=optional')
  const omitted = await refusal()
  must(omitted.includes('npm install --include=optional candlewick'), omitted)
  await install('--include=optional', 'candlewick')
  await trains()

  // From the tarballs, as long as nothing is published.
  emptyProject(app)
  bring(app, 'trains.mjs')
  const tarballs = readdirSync(packages).filter((name) => name.endsWith('.tgz'))
  await run(app, 'npm', ['install', ...tarballs.map((name) => join(packages, name))], npmToday)
  await trains()
}
