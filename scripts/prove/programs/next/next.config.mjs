export default {
  output: 'standalone',
  serverExternalPackages: ['candlewick'],
  outputFileTracingRoot: import.meta.dirname,
}
