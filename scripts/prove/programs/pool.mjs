import { Piscina } from 'piscina'

const pool = new Piscina({ filename: new URL('worker.mjs', import.meta.url).href, minThreads: 2, maxThreads: 4 })
const seeds = Array.from({ length: 16 }, (_, i) => i % 4)
const losses = await Promise.all(seeds.map((seed) => pool.run(seed)))
await pool.destroy()
const agree = losses.every((loss, i) => loss > 0 && loss === losses[seeds[i]])
console.log(agree && new Set(losses).size === 4)
