/**
 * `node build/bench/larger.js DIR [IMAGES]`: trains on a folder of pictures whose images stand in a file, or on the first of them, and
 * prints seconds and memory. `bench/larger.sh` has it do so in less memory than the images take.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { adamW, conv2d, dense, fit, globalAvgPool2d, imageFolder, Sequential } from '#dist/index.js'

const [dir = '', images] = process.argv.slice(2)

/** Megabytes of the process: its own, which nobody else can have, and those of files. */
function memory(): { own: number; files: number } {
  const status = readFileSync('/proc/self/status', 'utf8')
  const megabytes = (name: string) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1000)
  return { own: megabytes('RssAnon'), files: megabytes('RssFile') }
}

let most = { own: 0, files: 0 }
const look = () => {
  const { own, files } = memory()
  most = { own: Math.max(most.own, own), files: Math.max(most.files, files) }
}
setInterval(look, 20).unref()

const said = () => `at most ${most.own} MB of its own and ${most.files} MB of files in memory`
const start = performance.now()
const { train, broken } = await imageFolder(dir, { size: 256, cache: 'disk', cacheDir: join(dir, '.cache') })
const bytes = train.length * 3 * 256 * 256
const loaded = ((performance.now() - start) / 1000).toFixed(1)
console.log(
  `${train.length} images, ${(bytes / 1e9).toFixed(2)} GB, ${broken.length} broken, in ${loaded} s; ${said()}`,
)

const net = new Sequential([
  conv2d({ channels: 8, kernelSize: 8, strides: 8, activation: 'relu' }),
  conv2d({ channels: 16, kernelSize: 4, strides: 4, activation: 'relu' }),
  globalAvgPool2d(),
  dense({ units: train.classes?.length ?? 2 }),
])
await net.initialize({ inputShape: train.imageShape, seed: 1 })
const data = images === undefined ? train : train.slice(0, Math.min(Number(images), train.length))
for await (const { epoch, trainSeconds } of fit(net, data, { epochs: 3, batchSize: 32, optimizer: adamW() })) {
  const each = ((1000 * trainSeconds) / data.length).toFixed(2)
  console.log(`epoch ${epoch}: ${data.length} images in ${trainSeconds.toFixed(1)} s, ${each} ms each; ${said()}`)
}
