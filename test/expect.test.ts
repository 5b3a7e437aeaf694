import { readFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { CandlewickError } from 'candlewick'
import { adviceOnCopies, markClass } from '#dist/copies.js'
import {
  expectFloat32,
  expectInstance,
  expectInteger,
  expectIntegers,
  expectOptions,
  expectPair,
  expectSignal,
  show,
} from '#dist/expect.js'

interface Options {
  size: number
  name?: string
}

const keys = { size: true, name: true } as const
const invalid = (message: RegExp) => ({ instanceOf: CandlewickError, code: 'INVALID_ARGUMENT', message })
const holey = (elements: Record<number, unknown>) => Object.assign([], elements)
const ofKeys = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, i]))
const fail = () => {
  throw new Error('mine')
}

test('options are read once, whatever kind of object they are', (t) => {
  let reads = 0
  const counting = {
    get size() {
      return ++reads
    },
  }
  t.deepEqual(expectOptions<Options>('it', counting, keys), { size: 1, name: undefined })
  t.is(reads, 1)
  class Config {
    get size() {
      return 3
    }
  }
  for (const options of [
    new Config(),
    Object.freeze({ size: 3 }),
    Object.assign(Object.create(null), { size: 3 }),
    new Proxy({ size: 3 }, {}),
    runInNewContext('({ size: 3 })'),
  ]) {
    t.is(expectOptions<Options>('it', options, keys).size, 3)
  }
})

test('options that are none, unknown or cannot be read are refused', (t) => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  for (const [options, message] of [
    [undefined, /an object of options for it, .* undefined\.$/],
    [null, / null\.$/],
    [5, / 5\.$/],
    ['size', / "size"\.$/],
    [fail, / a function\.$/],
    [[3], / \[ 3 \]\.$/],
    [{ size: 3, sise: 4 }, /Unknown option "sise" for it; it takes size, name\.$/],
    [{ toString: 4 }, /"toString"/],
    [{ get size() { return fail() } }, /^The options of it cannot be read: mine\.$/], // biome-ignore format: one case a line
    [proxy, /cannot be read: .*revoked/],
  ] as const) {
    t.throws(() => expectOptions<Options>('it', options, keys), invalid(message))
  }
  const error = t.throws(() => expectOptions<Options>('it', new Proxy({}, { ownKeys: fail }), keys))
  t.is((error.cause as Error).message, 'mine')
})

test('the compiler sees that all keys of an options object are named, and no others', (t) => {
  // @ts-expect-error: one is missing
  t.throws(() => expectOptions<Options>('it', { size: 1, name: 'x' }, { size: true }), invalid(/"name"/))
  // @ts-expect-error: one is misspelt
  t.notThrows(() => expectOptions<Options>('it', {}, { size: true, name: true, nome: true }))
})

test('a value is shown as a person would write it', (t) => {
  const cyclic: { self?: object } = {}
  cyclic.self = cyclic
  for (const [value, expected] of [
    ['256', '"256"'],
    [-0, '-0'],
    [Number.NaN, 'NaN'],
    [12n, '12n'],
    [10n ** 1000n, 'a bigint of more than 64 bits'],
    [2n ** 63n - 1n, '9223372036854775807n'],
    [2n ** 63n, 'a bigint of more than 64 bits'],
    [Symbol('s'), 'Symbol(s)'],
    [fail, 'a function'],
    [undefined, 'undefined'],
    [new Number(5), '[Number: 5]'],
    [holey({ 0: 1, 2: 28 }), '[ 1, <1 empty item>, 28 ]'],
    [{ kind: 'he', scale: 1n }, "{ kind: 'he', scale: 1n }"],
    [{ a: { b: { c: 1 } } }, '{ a: [Object] }'],
    [cyclic, '<ref *1> { self: [Circular *1] }'],
    [new Uint8Array(5), 'Uint8Array of length 5'],
    [runInNewContext('new Float64Array(3)'), 'Float64Array of length 3'],
    [Object.setPrototypeOf(new Uint8Array(4), null), 'Uint8Array of length 4'],
    [Promise.resolve(), 'a promise; await it first'],
    [new Error('one\ntwo'), 'an error (one'],
    [new Proxy([1], { get: fail, ownKeys: fail }), 'a proxy of [ 1 ]'],
    [
      { [Symbol.for('nodejs.util.inspect.custom')]: () => 'mine' },
      '{ [Symbol(nodejs.util.inspect.custom)]: [Function: [nodej...',
    ],
    [{ toJSON: fail, toString: fail }, '{ toJSON: [Function: fail], toString: [Function: fail] }'],
    [{ get [Symbol.toStringTag]() { return fail() } }, 'an object that cannot be read'], // biome-ignore format: one case a line
    ['x'.repeat(58), `"${'x'.repeat(58)}"`],
    ['x'.repeat(59), `"${'x'.repeat(56)}...`],
    ['x'.repeat(1e6), `"${'x'.repeat(56)}...`],
    [Array.from({ length: 1e6 }, () => 7), '[ 7, 7, 7, 7, 7, 7, 7, 7, ... 999992 more items ]'],
    [ofKeys(100), '{ k0: 0, k1: 1, k2: 2, k3: 3, k4: 4, k5: 5, k6: 6, k7: 7,...'],
    [ofKeys(101), 'an object of many keys'],
  ] as const) {
    t.is(show(value), expected)
  }
})

test('numbers are numbers', (t) => {
  t.is(expectInteger('n', -0, 0), 0)
  t.false(Object.is(expectInteger('n', -0, 0), -0))
  for (const value of [
    '1',
    1n,
    true,
    null,
    undefined,
    [1],
    new Number(1),
    Symbol('1'),
    { valueOf: () => 1 },
    1.5,
    2 ** 31,
  ]) {
    t.throws(() => expectInteger('n', value, 0), invalid(/integer of at least 0 for n/))
  }
  t.throws(() => expectInteger('n', 6, 2, 5), invalid(/from 2 to 5 for n, but received 6/))
})

test('an array of integers is copied, holes and all refused', (t) => {
  const given = [1, 28, 28]
  const copy = expectIntegers('shape', 'three', given, 3, 1)
  t.deepEqual(copy, given)
  t.not(copy, given)
  t.deepEqual(expectIntegers('shape', 'three', runInNewContext('[1, 2, 3]'), 3, 1), [1, 2, 3])
  t.throws(
    () => expectIntegers('shape', 'three', holey({ 0: 1, 2: 28 }), 3, 1),
    invalid(/shape\[1\], but received undefined/),
  )
  t.throws(() => expectIntegers('shape', 'three', [1, 28], 3, 1), invalid(/Expected three for shape/))
  t.throws(() => expectIntegers('shape', 'three', { length: 3 }, 3, 1), invalid(/Expected three/))
  t.throws(() => expectIntegers('shape', 'three', new Proxy([1, 2, 3], { get: fail }), 3, 1), invalid(/mine/))
  t.deepEqual(expectPair('strides', [2, 1], 1), [2, 1])
  t.deepEqual(expectPair('strides', 2, 1), [2, 2])
  for (const value of [[1], [1, 2, 3], null, '2', {}]) {
    t.throws(() => expectPair('strides', value, 1), invalid(/an integer or a pair of integers for strides/))
  }
  t.throws(() => expectPair('strides', [1, 0], 1), invalid(/strides\[1\]/))
})

test('a number that float32 would make another is refused, with the value given', (t) => {
  for (const value of [0, 1e-45, 0.1, 3.4e38]) t.is(expectFloat32('rate', value, 0), value)
  t.is(expectFloat32('share', 0.9999, 0, 1), 0.9999)
  t.throws(
    () => expectFloat32('rate', 1e39, 0),
    invalid(/float32 .*for rate, .* 1e\+39, which rounds to Infinity .*smaller/),
  )
  t.throws(() => expectFloat32('rate', 1e-46, 0), invalid(/ 1e-46, which rounds to 0 .*larger/))
  t.throws(() => expectFloat32('share', 0.99999999, 0, 1), invalid(/ 0\.99999999, which rounds to 1 .*smaller/))
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY, '1', null]) {
    t.throws(() => expectFloat32('rate', value, 0), invalid(/finite number of at least 0 for rate/))
  }
})

test('a signal is what acts like one', (t) => {
  const foreign = {
    aborted: false,
    reason: undefined,
    throwIfAborted() {},
    addEventListener() {},
    removeEventListener() {},
  }
  t.is(expectSignal(undefined), undefined)
  t.is(expectSignal(foreign), foreign as unknown as AbortSignal)
  const { signal } = new AbortController()
  t.is(expectSignal(signal), signal)
  const { throwIfAborted, ...old } = foreign
  for (const value of [null, 5, {}, new AbortController(), old, { ...foreign, aborted: 'no' }]) {
    t.throws(() => expectSignal(value), invalid(/an AbortSignal for signal/))
  }
  t.throws(() => expectSignal(new Proxy(signal, { get: fail })), invalid(/signal cannot be read: mine/))
})

class Thing {
  readonly #secret = 1
  get secret() {
    return this.#secret
  }
}
markClass(Thing, 'Thing')

test('an instance is one of this copy of the package', (t) => {
  const expectThing = (value: unknown) => expectInstance('it', 'a Thing', value, Thing)
  const thing = new Thing()
  t.is(expectThing(thing), thing)
  for (const value of [undefined, null, 5, {}, [], Thing]) {
    t.throws(() => expectThing(value), invalid(/^Expected a Thing for it, but received/))
  }
  t.throws(() => expectThing(new Proxy(thing, {})), invalid(/received a proxy; pass what it stands for/))
  t.throws(() => expectInstance('it', 'a Plain', thing, class Plain {}), invalid(/received Thing \{\}\.$/))
  const Namesake = class Thing {}
  t.throws(() => expectThing(new Namesake()), invalid(/received Thing \{\}\.$/))
  markClass(Namesake, 'Other')
  t.throws(() => expectThing(new Namesake()), invalid(/received Thing \{\}\.$/))
  const Twice = class Thing {}
  markClass(Twice, 'Thing')
  t.throws(
    () => expectThing(new Twice()),
    invalid(/one of another copy .*same files loaded twice, from file:.*\/dist\/\)/),
  )
  const mark = Symbol.for('candlewick.class')
  const elsewhere = { [mark]: { className: 'Thing', home: 'file:///b/dist/' } }
  t.throws(() => expectThing(elsewhere), invalid(/from file:\/\/\/b\/dist\/, while this one is .*npm ls candlewick/))
})

test('a copy says where it lies, as CommonJS too', async (t) => {
  t.regex(adviceOnCopies('x'), /from x, while this one is file:/)
  const code = (await readFile('dist/copies.js', 'utf8'))
    .replace('import.meta.url ?? __filename', '"C:\\\\app\\\\index.cjs"')
    .replace(/\/\/#.*/, '')
  const bundled = await import(`data:text/javascript,${encodeURIComponent(code)}`)
  t.regex(bundled.adviceOnCopies('x'), /from x, while this one is C:\\app\\\);/)
})

for (const [name, file] of [
  ['Sequential', 'network/sequential.js'],
  ['Dataset', 'data/dataset.js'],
] as const) {
  test(`a ${name} of another copy is told from what is none`, async (t) => {
    const url = pathToFileURL(`dist/${file}`).href
    const ours = await import(url)
    const theirs = (await import(`${url}?another`))[name]
    t.not(theirs, ours[name])
    t.is(theirs.prototype[Symbol.for('candlewick.class')].className, name)
    const expectOurs = ours[`expect${name === 'Dataset' ? name : 'Network'}`]
    t.throws(() => expectOurs(Object.create(theirs.prototype)), invalid(/received one of another copy of candlewick/))
  })
}
