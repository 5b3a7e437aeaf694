/** What is said where no addon can be loaded: what was tried, and what to do about it. */

import { CandlewickError } from './errors.js'
import { platforms } from './platforms.js'

export interface System {
  /** As {@link platforms} calls it, though it need not be one of them. */
  name: string
  /** The version of glibc, where that is the C library. */
  glibc?: string | undefined
}

export interface Attempt {
  /** What was to be loaded. */
  what: string
  /** Whether there was nothing of the kind. */
  isMissing: boolean
  reason: string
}

export interface Surroundings {
  /** Platforms whose packages are installed. */
  others: readonly string[]
  /** Whether candlewick is a part of a file that a bundler made. */
  isBundled: boolean
}

export function addonUnavailable(
  system: System,
  attempts: readonly Attempt[],
  surroundings: Surroundings,
): CandlewickError {
  const tried = attempts.map(
    ({ what, isMissing, reason }) => `- ${what}: ${isMissing ? 'not there' : firstLine(reason)}`,
  )
  const message = [
    `candlewick's addon cannot be loaded on ${system.name}, Node ${process.version}.`,
    'Tried:',
    ...tried,
    'What to do:',
    ...advice(system, attempts, surroundings).map((line) => `- ${line}`),
  ]
  return new CandlewickError('ADDON_UNAVAILABLE', message.join('\n'))
}

const build = 'build it from source, with Rust: clone the repository of candlewick and run npm run build there'

function advice({ name, glibc }: System, attempts: readonly Attempt[], { others, isBundled }: Surroundings): string[] {
  const broken = attempts.filter(({ isMissing }) => !isMissing)
  if (broken.length > 0) return broken.flatMap((attempt) => adviceOnBroken(attempt, name, glibc))
  const platform = platforms[name]
  if (!platform) {
    const other = /-(?:ia32|arm)\b/.test(name) ? ['use a Node of 64 bits, if the processor has them'] : []
    return [...other, `use one of the systems that there are packages for: ${Object.keys(platforms).join(', ')}`, build]
  }
  if (isBundled) {
    return [
      'a bundler put candlewick into one file with a program: leave it out (--external:candlewick in esbuild, ssr.external in ' +
        'Vite, serverExternalPackages in Next.js), and have it in node_modules where the program runs',
    ]
  }
  const { os, cpu, libc } = platform
  const options = [`--os=${os}`, `--cpu=${cpu}`, ...(libc ? [`--libc=${libc}`] : [])].join(' ')
  return [
    ...(others.length > 0
      ? [`node_modules has what another system needs (${others.join(', ')}): do not copy it, but install here`]
      : []),
    'install it with optional dependencies: npm install --include=optional candlewick',
    `where a lock file was written on another system: npm install ${options} candlewick, or remove node_modules and the ` +
      'lock file and install again; for pnpm and yarn, supportedArchitectures names the systems to install for',
    build,
  ]
}

function adviceOnBroken({ what, reason }: Attempt, name: string, glibc: string | undefined): string[] {
  const [, needed] = /version [`'"]GLIBC_([\d.]+)' not found/.exec(reason) ?? []
  if (needed !== undefined) {
    return [
      `glibc ${needed} or newer is needed, but this system has ${glibc ?? 'an older one'}: use a newer release of it`,
      build,
    ]
  }
  const [, opened, loaded] = /(\S+\.so\S*): cannot open shared object file|shared library (\S+):/.exec(reason) ?? []
  const library = opened ?? loaded
  if (library !== undefined && /ld-linux|ld-musl|libc\.(?:so\.6|musl)/.test(library)) {
    return [`it is of another C library than this system's: remove node_modules and install again, for ${name}`]
  }
  if (library !== undefined) return [`install the library ${library} (in Alpine, apk add libgcc libstdc++ has most)`]
  return [`${what} is damaged, or of another system: remove node_modules and install again`]
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] as string
}
