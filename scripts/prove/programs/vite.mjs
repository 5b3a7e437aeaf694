// Vite's server-side builds and its server, with candlewick left out and with everything in one file.
import { build, createServer } from 'vite'

const root = import.meta.dirname
const shared = { root, configFile: false, logLevel: 'warn' }
for (const [outDir, noExternal] of [
  ['external', undefined],
  ['one-file', true],
]) {
  await build({ ...shared, ssr: { noExternal }, build: { ssr: 'asks.mjs', outDir, emptyOutDir: true } })
  await import(`./${outDir}/asks.js`).catch(() => import(`./${outDir}/asks.mjs`))
  const ssr = { noExternal: noExternal && ['candlewick'] }
  const server = await createServer({ ...shared, ssr, server: { middlewareMode: true, ws: false } })
  const { answer } = await server.ssrLoadModule('/asks.mjs')
  await answer()
  await server.close()
}
