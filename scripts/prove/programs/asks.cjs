const { CandlewickError, dense, Sequential } = require('candlewick')

async function answer() {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu' })
  const error = await net.loadParameters('/nowhere').catch((error) => error)
  return `${error instanceof CandlewickError} ${error.code}`
}
answer().then(console.log)
