import { runInNewContext } from 'node:vm'
import test from 'ava'
import { CandlewickError } from 'candlewick'
import { inOrder } from '#dist/data/order.js'
import { allocate } from '#dist/memory.js'

test('what memory cannot hold is an error with a code, that says what it was for', (t) => {
  for (const make of [
    () => new Uint32Array(2 ** 50),
    () => new ArrayBuffer(2 ** 52),
    () => new Array(2 ** 33),
    () => 'x'.repeat(2 ** 30),
    () => runInNewContext('new Uint32Array(2 ** 50)'),
    () => fail({ code: 'ERR_MEMORY_ALLOCATION_FAILED' }),
    () => fail({ code: 'ENOMEM' }),
  ]) {
    const error = t.throws(() => allocate('the answers', make), { instanceOf: CandlewickError, code: 'OUT_OF_MEMORY' })
    t.regex(error?.message ?? '', /not enough memory for the answers; take fewer/)
    t.truthy(error?.cause)
  }
  t.throws(() => inOrder(2 ** 40, 0), { code: 'OUT_OF_MEMORY', message: /the order of 1099511627776 images/ })
})

test('what is made is returned, and what else goes wrong is left as it is', (t) => {
  t.deepEqual(
    allocate('two', () => [1, 2]),
    [1, 2],
  )
  const mine = new Error('mine')
  const deep = (): number => deep() + 1
  t.throws(() => allocate('x', () => fail(mine)), { is: mine })
  t.throws(() => allocate('x', deep), { instanceOf: RangeError, message: /call stack/ })
})

function fail(error: unknown): never {
  throw error
}
