import { runInNewContext } from 'node:vm'
import test from 'ava'
import { CandlewickError } from 'candlewick'
import { inOrder } from '#dist/data/order.js'
import { isOutOfMemory } from '#dist/errors.js'
import { allocate } from '#dist/memory.js'

test('what memory cannot hold is an error with a code, that says what it was for', (t) => {
  for (const length of [2 ** 42, 2 ** 50, Number.MAX_SAFE_INTEGER, Number.MAX_VALUE]) {
    const make = () => allocate('the answers', Float32Array, length)
    const error = t.throws(make, { instanceOf: CandlewickError, code: 'OUT_OF_MEMORY' })
    t.regex(error?.message ?? '', /not enough memory for the answers; take fewer/)
    t.truthy(error?.cause)
  }
  t.throws(() => inOrder(2 ** 40, 0), { code: 'OUT_OF_MEMORY', message: /the order of 1099511627776 images/ })
})

test('an array is of zeros and of the type asked for', (t) => {
  t.deepEqual(allocate('two', Uint16Array, 2), new Uint16Array(2))
  t.is(allocate('many', Float32Array, 2 ** 20).length, 2 ** 20)
})

test('a want of memory is known by its error, of V8, Node or the system, and what else goes wrong is not taken for one', (t) => {
  for (const make of [
    () => new Uint32Array(2 ** 50),
    () => new ArrayBuffer(2 ** 52),
    () => new Array(2 ** 33),
    () => 'x'.repeat(2 ** 30),
    () => runInNewContext('new Uint32Array(2 ** 50)'),
    () => fail({ code: 'ERR_MEMORY_ALLOCATION_FAILED' }),
    () => fail({ code: 'ENOMEM' }),
  ]) {
    t.true(isOutOfMemory(thrownBy(make)))
  }
  const deep = (): number => deep() + 1
  for (const make of [deep, () => fail(new Error('mine')), () => fail(undefined)])
    t.false(isOutOfMemory(thrownBy(make)))
})

function thrownBy(make: () => unknown): unknown {
  try {
    make()
  } catch (error) {
    return error
  }
  throw new Error('It threw nothing.')
}

function fail(error: unknown): never {
  throw error
}
