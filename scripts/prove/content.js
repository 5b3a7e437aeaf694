/** The tarballs hold what is needed, and nothing else. */

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { must, run } from './project.js'

export default async function prove({ root, packages, folder }) {
  for (const name of readdirSync(packages).filter((name) => name.endsWith('.tgz'))) {
    const listed = await run(folder, 'tar', ['-tzf', join(packages, name)])
    const files = listed
      .trim()
      .split('\n')
      .map((path) => path.replace('package/', ''))
    const home = join(packages, name.replace(/-[\d.]+\.tgz$/, ''))
    const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
    must(!manifest.scripts && !manifest.devDependencies, `${name} has scripts, or dependencies for development`)
    if (manifest.name === 'candlewick') checkMain(files, manifest)
    else checkPlatform(files, manifest, home)
  }

  function checkMain(files, { version, optionalDependencies }) {
    const compiled = filesUnder('src').flatMap((path) => {
      const stem = path.replace(/\.ts$/, '')
      return [`dist/${stem}.js`, `dist/${stem}.js.map`]
    })
    const others = [
      'LICENSE',
      'README.md',
      'package.json',
      'dist/index.cjs',
      'dist/index.d.ts',
      'dist/types/package.json',
    ]
    const expected = [...compiled, ...others, ...filesUnder('docs').map((path) => `docs/${path}`)]
    const left = files.filter((path) => !/^dist\/types\/.*\.d\.ts$/.test(path))
    must(left.sort().join() === expected.sort().join(), `candlewick's tarball differs: ${difference(left, expected)}`)
    must(files.includes('dist/types/index.d.ts'), 'its types are missing')
    must(!files.some((path) => /^dist\/types\/(cli|progress-bar)/.test(path)), 'types of the command are in it')
    for (const exact of Object.values(optionalDependencies)) must(exact === version, 'a platform of another version')
  }

  function checkPlatform(files, { main }, home) {
    const expected = ['LICENSE', 'README.md', 'THIRD-PARTY-LICENSES', 'package.json', main]
    must(files.sort().join() === expected.sort().join(), `${home} differs: ${difference(files, expected)}`)
    const { size } = statSync(join(home, main))
    console.log(`  ${main}: ${(size / 1e6).toFixed(1)} MB`)
  }

  function filesUnder(name) {
    const entries = readdirSync(join(root, name), { recursive: true, withFileTypes: true })
    const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
    return paths.map((path) => path.slice(join(root, name).length + 1))
  }
}

function difference(found, expected) {
  const more = found.filter((one) => !expected.includes(one)).map((one) => `+${one}`)
  const fewer = expected.filter((one) => !found.includes(one)).map((one) => `-${one}`)
  return [...more, ...fewer].join(' ')
}
