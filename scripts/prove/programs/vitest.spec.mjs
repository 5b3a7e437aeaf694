import { pathToFileURL } from 'node:url'
import { CandlewickError, dense, parquetDataset, Sequential } from 'candlewick'
import { expect, test } from 'vitest'

test('errors keep their class and their code', async () => {
  const net = new Sequential([dense({ units: 2 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu' })
  const error = await net.loadParameters(pathToFileURL('/nowhere')).catch((error) => error)
  expect(error).toBeInstanceOf(CandlewickError)
  expect(error.code).toBe('CHECKPOINT_NOT_FOUND')
  expect(() => dense({ units: 0 })).toThrow(CandlewickError)
  await expect(parquetDataset({ file: import.meta.filename })).rejects.toMatchObject({ code: 'DATA_CORRUPT' })
  await net.setParameters(structuredClone(await net.parameters()))
})
