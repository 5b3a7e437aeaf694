// Pictures of a folder to 64x64 by sharp, so many files at once: node sharp_pictures.cjs DIR AT_ONCE
const sharp = require('sharp')
const { readdirSync } = require('node:fs')
const { join } = require('node:path')
const [dir, atOnce] = process.argv.slice(2)
const files = readdirSync(dir).flatMap((name) => readdirSync(join(dir, name)).map((file) => join(dir, name, file)))
const small = (file) => sharp(file).resize(64, 64, { fit: 'cover' }).removeAlpha().raw().toBuffer()
const work = async () => {
  for (let file = files.pop(); file !== undefined; file = files.pop()) await small(file)
}
;(async () => {
  const [count, start] = [files.length, performance.now()]
  await Promise.all(Array.from({ length: Number(atOnce) }, work))
  console.log(JSON.stringify({ version: sharp.versions.sharp, count, seconds: (performance.now() - start) / 1000 }))
})()
