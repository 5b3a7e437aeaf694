import { CandlewickError, dense, Sequential } from 'candlewick'

export const dynamic = 'force-dynamic'

export async function GET() {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu' })
  const error = await net.loadParameters('/nowhere').catch((error) => error)
  return new Response(`${error instanceof CandlewickError} ${error.code}`)
}
