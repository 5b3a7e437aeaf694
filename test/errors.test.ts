import test from 'ava'
import { codeOf, messageOf } from '#dist/errors.js'

test('whatever was thrown has a message', (t) => {
  const secret = Object.create(null)
  const trap = new Proxy({}, { get: () => fail(new Error('trap')) })
  t.deepEqual([new Error('a'), 'b', undefined, null, 5, Symbol('c'), { message: 5 }].map(messageOf), [
    'a',
    'b',
    'undefined',
    'null',
    '5',
    'Symbol(c)',
    '[object Object]',
  ])
  for (const odd of [secret, trap]) t.regex(messageOf(odd), /cannot be shown/)
  t.deepEqual([{ code: 'ENOENT' }, { code: 5 }, undefined, 'x'].map(codeOf), ['ENOENT', '', '', ''])
})

function fail(error: unknown): never {
  throw error
}
