import { CandlewickError, type Dataset, dense, type Epoch, fit, lenet, Sequential, sgd } from 'candlewick'

const net: Sequential = new Sequential([dense({ units: 2 })])

export async function first(data: Dataset): Promise<Epoch | undefined> {
  for await (const epoch of fit(net, data, { epochs: 1, batchSize: 2, optimizer: sgd({ learningRate: 1 }) }))
    return epoch
  return undefined
}

export const codeOf = (error: unknown): string => (error instanceof CandlewickError ? error.code : '')

// @ts-expect-error: units are a number
dense({ units: 'two' })
// @ts-expect-error: what it gives is not any
export const wrong: string = lenet().describe([1, 28, 28])
