import test from 'ava'
import { dense, Sequential } from 'candlewick'
import { inOrder } from '#dist/data/order.js'
import { mostSeed, randomSeed, shuffler } from '#dist/random.js'

test('an order in sequence starts where it should', (t) => {
  t.deepEqual([...inOrder(4, 7)], [7, 8, 9, 10])
  t.is(inOrder(0, 7).length, 0)
})

test('the orders of a seed are those of every other day and machine', async (t) => {
  // Recorded, so that a training can be repeated with the next version.
  const next = shuffler(1)
  t.deepEqual([...(await next(10, 0))], [7, 5, 3, 2, 4, 8, 9, 1, 0, 6])
  t.deepEqual([...(await next(10, 0))], [0, 9, 7, 4, 2, 5, 6, 1, 3, 8], 'the next order is another')
  t.deepEqual([...(await next(10, 100))], [105, 100, 106, 102, 103, 104, 108, 107, 109, 101])
  t.deepEqual([...(await shuffler(0)(5, 0))], [4, 0, 1, 3, 2])
  t.deepEqual([...(await shuffler(mostSeed)(5, 0))], [1, 2, 0, 4, 3])
})

for (const [length, start] of [
  [0, 0],
  [1, 3],
  [2, 0],
  [60_000, 10_000],
] as const) {
  test(`an order of ${length} from ${start} has every image once`, async (t) => {
    const order = await shuffler(5)(length, start)
    t.deepEqual(order.toSorted(), inOrder(length, start))
  })
}

test('each image comes to each place equally often', async (t) => {
  const [length, rounds] = [6, 6000]
  const next = shuffler(3)
  const counts = Array.from({ length }, () => new Array<number>(length).fill(0))
  for (let round = 0; round < rounds; round++) {
    const order = await next(length, 0)
    order.forEach((image, place) => {
      const row = counts[place] as number[]
      row[image] = (row[image] as number) + 1
    })
  }
  // A count has mean 1000 and deviation 29; the seed decides, so that this holds always or never.
  for (const count of counts.flat()) t.true(Math.abs(count - rounds / length) < 120, `${count} of ${rounds}`)
})

test('a long order leaves the event loop its turns', async (t) => {
  let turns = 0
  const count = () => {
    turns++
    timer = setImmediate(count)
  }
  let timer = setImmediate(count)
  await shuffler(1)(60_000, 0)
  clearImmediate(timer)
  t.true(turns >= 3 && turns < 100, `${turns} turns`)
})

test('a seed that nobody chose is a seed, and another each time', (t) => {
  const seeds = Array.from({ length: 8 }, randomSeed)
  t.true(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed <= mostSeed))
  t.is(new Set(seeds).size, 8)
  t.is(mostSeed, 4_294_967_295)
})

test('the least and the greatest seed are seeds, and no others are beyond', async (t) => {
  const net = new Sequential([dense({ units: 1 })])
  for (const seed of [0, mostSeed]) {
    await net.initialize({ seed, device: 'cpu', forceReinit: true })
    t.is(net.seed, seed)
  }
  for (const seed of [-1, mostSeed + 1, 0.5]) {
    const expected = { code: 'INVALID_ARGUMENT', message: new RegExp(`from 0 to 4294967295 for seed, .* ${seed}\\.$`) }
    await t.throwsAsync(net.initialize({ seed, forceReinit: true }), expected)
  }
})
