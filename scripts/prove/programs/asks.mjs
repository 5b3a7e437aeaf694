// Of what a bundler makes one file.
import { CandlewickError, dense, Sequential } from 'candlewick'

export async function answer() {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu' })
  const error = await net.loadParameters('/nowhere').catch((error) => error)
  return `${error instanceof CandlewickError} ${error.code}`
}
answer().then(console.log)
