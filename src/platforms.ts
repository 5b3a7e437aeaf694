/** A system that there is a binary for, in the words of npm's package.json. */
export interface Platform {
  os: string
  cpu: string
  libc?: 'glibc' | 'musl'
}

/** Each has a package of npm's, called `candlewick-` and its name, which holds nothing but the binary. */
export const platforms: Readonly<Record<string, Platform>> = {
  'linux-x64-gnu': { os: 'linux', cpu: 'x64', libc: 'glibc' },
  'linux-arm64-gnu': { os: 'linux', cpu: 'arm64', libc: 'glibc' },
  'linux-x64-musl': { os: 'linux', cpu: 'x64', libc: 'musl' },
  'linux-arm64-musl': { os: 'linux', cpu: 'arm64', libc: 'musl' },
  'darwin-x64': { os: 'darwin', cpu: 'x64' },
  'darwin-arm64': { os: 'darwin', cpu: 'arm64' },
  'win32-x64-msvc': { os: 'win32', cpu: 'x64' },
  'win32-arm64-msvc': { os: 'win32', cpu: 'arm64' },
}
