const { pathToFileURL } = require('node:url')
const { arrayDataset, CandlewickError, dense, fit, parquetDataset, Sequential, sgd } = require('candlewick')

test('errors keep their class and their code', async () => {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu' })
  const error = await net.loadParameters(pathToFileURL('/nowhere')).catch((error) => error)
  expect(error).toBeInstanceOf(CandlewickError)
  expect(error).toBeInstanceOf(Error)
  expect(error.code).toBe('CHECKPOINT_NOT_FOUND')
  expect(() => dense({ units: 0 })).toThrow(CandlewickError)
  await expect(parquetDataset({ file: __filename })).rejects.toMatchObject({ code: 'DATA_CORRUPT' })
})

test('arrays are taken, of this realm and of the main one', async () => {
  const net = new Sequential([dense({ units: 2 })])
  const data = await arrayDataset({ images: { data: Buffer.alloc(16), shape: [4, 1, 2, 2] }, labels: [0, 1, 0, 1] })
  await net.initialize({ device: 'cpu' })
  for await (const { loss } of fit(net, data, { epochs: 1, batchSize: 2, optimizer: sgd({ learningRate: 0.1 }) })) {
    expect(loss).toBeGreaterThan(0)
  }
  await net.setParameters(structuredClone(await net.parameters()))
  const { probabilities } = await net.predict({ data: new Float32Array(4), shape: [1, 1, 2, 2] })
  expect(probabilities).toBeInstanceOf(Float32Array)
})
