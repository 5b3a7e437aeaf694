/**
 * Installs candlewick into an empty folder by one package manager after the other, and trains with it there.
 *
 *   node scripts/release/smoke.js                          the newest that is published, by all of them
 *   node scripts/release/smoke.js candlewick@0.1.0 npm pnpm    that version, by two
 *   node scripts/release/registry.js build/packages node scripts/release/smoke.js    tarballs that are not published yet
 *
 * The managers are npm packages, which come into a folder of their own; only npm is the one that is here. No cargo is on the path.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const isWindows = process.platform === 'win32'
const [spec = 'candlewick', ...asked] = process.argv.slice(2)
const at = spec.lastIndexOf('@')
const version = at > 0 ? spec.slice(at + 1) : 'latest'

const esm = `
import { arrayDataset, fit, formatEpoch, lenet, sgd } from 'candlewick'
const images = { data: Uint8Array.from({ length: 256 * 784 }, (_, i) => (i * i) % 251), shape: [256, 1, 28, 28] }
const train = await arrayDataset({ images, labels: Uint8Array.from({ length: 256 }, (_, i) => i % 10) })
const net = lenet()
await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 })
for await (const epoch of fit(net, train, { epochs: 2, batchSize: 32, optimizer: sgd({ learningRate: 0.1 }) })) {
  console.log(formatEpoch(epoch))
}
`
const cjs = `
const { lenet } = require('candlewick')
lenet().initialize({ inputShape: [1, 28, 28], device: 'cpu', seed: 1 }).then(() => console.log('required'))
`

const node = [
  ['node', 'train.mjs'],
  ['node', 'require.cjs'],
]

/** How each manager is had, installs, and runs a program. */
const managers = {
  npm: { install: [['npm', 'install', '--no-audit', '--no-fund']], run: node },
  pnpm: {
    from: 'pnpm',
    files: { 'pnpm-workspace.yaml': 'minimumReleaseAge: 0\n' },
    install: [['pnpm', 'install']],
    run: node,
  },
  yarn: {
    from: '@yarnpkg/cli-dist',
    files: { '.yarnrc.yml': 'nodeLinker: node-modules\n' },
    install: [['yarn', 'install']],
    run: node,
  },
  'yarn-pnp': {
    from: '@yarnpkg/cli-dist',
    files: { '.yarnrc.yml': 'nodeLinker: pnp\n' },
    install: [['yarn', 'install']],
    run: node.map((command) => ['yarn', ...command]),
  },
  bun: {
    from: 'bun',
    install: [['bun', 'install']],
    run: [
      ['bun', 'train.mjs'],
      ['bun', 'require.cjs'],
    ],
  },
  deno: {
    from: 'deno',
    files: { 'deno.json': '{ "nodeModulesDir": "auto" }\n' },
    install: [['deno', 'install']],
    run: [
      ['deno', 'run', '-A', 'train.mjs'],
      ['deno', 'run', '-A', 'require.cjs'],
    ],
  },
}

const unknown = asked.filter((name) => !(name in managers))
if (unknown.length > 0) throw new Error(`${unknown} is none of ${Object.keys(managers)}.`)

let failures = 0
for (const name of asked.length > 0 ? asked : Object.keys(managers)) {
  const begun = Date.now()
  const failure = attempt(managers[name])
  failures += failure ? 1 : 0
  console.log(
    `${failure ? 'fails' : 'works'}: ${name}, ${process.version}, ${((Date.now() - begun) / 1000).toFixed(0)} s`,
  )
  if (failure) console.log(failure.replace(/^/gm, '    '))
}
process.exit(failures > 0 ? 1 : 0)

/** What went wrong, if something did. */
function attempt({ from, files = {}, install, run }) {
  const folder = mkdtempSync(join(tmpdir(), 'candlewick-smoke-'))
  try {
    const project = join(folder, 'project')
    mkdirSync(project)
    const manifest = { name: 'smoke', private: true, dependencies: { candlewick: version } }
    const all = { 'package.json': JSON.stringify(manifest), 'train.mjs': esm, 'require.cjs': cjs, ...files }
    // Where another registry is asked for; pnpm knows no variable of npm's.
    if (process.env.npm_config_registry) all['.npmrc'] = `registry=${process.env.npm_config_registry}\n`
    for (const [file, content] of Object.entries(all)) writeFileSync(join(project, file), content)
    const path = [from ? managerOf(from, join(folder, 'manager')) : undefined, ...withoutRust()].filter(Boolean)
    const env = { ...process.env, ...settings(folder), [isWindows ? 'Path' : 'PATH']: path.join(delimiter) }
    for (const [command, ...args] of [...install, ...run]) {
      const { status, stdout, stderr, error } = spawnSync(command, args, {
        cwd: project,
        env,
        encoding: 'utf8',
        shell: isWindows,
      })
      if (status !== 0)
        return `${[command, ...args].join(' ')} ended with ${status ?? error}:\n${stdout ?? ''}${stderr ?? ''}`.trim()
    }
    return undefined
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** The folder of a manager's programs. */
function managerOf(name, folder) {
  mkdirSync(folder)
  const words = ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, name]
  execFileSync('npm', words, { stdio: 'inherit', shell: isWindows })
  return join(folder, 'node_modules', '.bin')
}

function withoutRust() {
  return (process.env.PATH ?? '').split(delimiter).filter((part) => !part.includes('.cargo'))
}

/** Caches of their own, and lock files that may be made. */
function settings(folder) {
  return {
    CI: '',
    npm_config_cache: join(folder, 'npm'),
    npm_config_store_dir: join(folder, 'pnpm'),
    YARN_GLOBAL_FOLDER: join(folder, 'yarn'),
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    YARN_ENABLE_TELEMETRY: '0',
    YARN_NPM_MINIMAL_AGE_GATE: '0', // what was published a minute ago too
    BUN_INSTALL_CACHE_DIR: join(folder, 'bun'),
    DENO_DIR: join(folder, 'deno'),
  }
}
