/** Datasets of images that come one by one. */

import { Readable } from 'node:stream'
import test from 'ava'
import { datasetFrom, type Example } from 'candlewick'

const example = (number: number, label = number): Example => ({
  image: { data: Uint8Array.of(number, number + 1), shape: [1, 1, 2] },
  label,
})

async function* slowly(examples: Iterable<Example>): AsyncGenerator<Example> {
  for (const one of examples) {
    await new Promise(setImmediate)
    yield one
  }
}

const three = [example(3), example(0, 300), example(7)]

test('an array, a generator and a stream make the same dataset', async (t) => {
  for (const source of [three, new Set(three), slowly(three), Readable.from(three)]) {
    const data = await datasetFrom(source)
    t.deepEqual(data.images(), { data: Uint8Array.of(3, 4, 0, 1, 7, 8), shape: [3, 1, 1, 2] })
    t.deepEqual(data.labels(), Uint16Array.of(3, 300, 7))
  }
})

test('an array that is used again for the next image does no harm', async (t) => {
  const data = new Float32Array(4)
  function* examples() {
    for (let label = 0; label < 5; label++) yield { image: { data: data.fill(label / 2), shape: [1, 2, 2] }, label }
  }
  const dataset = await datasetFrom(examples(), { classes: ['a', 'b', 'c', 'd', 'e'] })
  t.deepEqual(dataset.images(1, 3).data, Float32Array.of(0.5, 0.5, 0.5, 0.5, 1, 1, 1, 1))
  t.is(dataset.classes?.[4], 'e')
})

test('the event loop runs while images come at once', async (t) => {
  const image = { data: new Uint8Array(1 << 19), shape: [1, 512, 1024] }
  let turns = 0
  const count = setInterval(() => turns++, 0)
  await datasetFrom(Array.from({ length: 60 }, () => ({ image, label: 0 })))
  clearInterval(count)
  t.true(turns > 3, `${turns}`)
})

const float = { image: { data: new Float32Array(2), shape: [1, 1, 2] }, label: 0 }
for (const [what, examples, code, message] of [
  [
    'another shape',
    [...three, { ...example(1), image: { data: new Uint8Array(2), shape: [2, 1, 1] } }],
    'DATA_MISMATCH',
    /^Image 3 has bytes of shape \[2, 1, 1\], but image 0 has bytes of shape \[1, 1, 2\]/,
  ],
  ['another kind', [example(1), float], 'DATA_MISMATCH', /^Image 1 has float32 of shape .* image 0 has bytes/],
  ['no examples', [], 'INVALID_ARGUMENT', /came to an end without one/],
  ['no iterable', 5, 'INVALID_ARGUMENT', /an iterable or async iterable .* for examples, .* 5/],
  ['a string', 'abc', 'INVALID_ARGUMENT', /an iterable .* for examples, .* "abc"/],
  ['an example that is none', [example(1), 3], 'INVALID_ARGUMENT', /for example 1, .* 3/],
  [
    'a label in words',
    [{ ...example(1), label: 'cat' }],
    'INVALID_ARGUMENT',
    /from 0 to 65535 \(map names .* for the label of example 0, .* "cat"/,
  ],
  ['a label too large', [{ ...example(1), label: 65_536 }], 'INVALID_ARGUMENT', /label of example 0, .* 65536/],
  [
    'too few pixels',
    [{ image: { data: new Uint8Array(3), shape: [1, 2, 2] }, label: 0 }],
    'INVALID_ARGUMENT',
    /4 values/,
  ],
  [
    'a batch',
    [{ image: { data: new Uint8Array(4), shape: [1, 1, 2, 2] }, label: 0 }],
    'INVALID_ARGUMENT',
    /shape of example 0/,
  ],
] as const) {
  test(`of ${what}, no dataset is made`, async (t) => {
    await t.throwsAsync(datasetFrom(examples as unknown as Iterable<Example>), {
      name: 'CandlewickError',
      code,
      message,
    })
  })
}

test('what a source throws is thrown, and a source that is left is told so', async (t) => {
  const mine = new Error('mine')
  async function* failing() {
    yield example(1)
    throw mine
  }
  await t.throwsAsync(datasetFrom(failing()), { is: mine })
  let isLeft = false
  function* endless() {
    try {
      for (;;) yield example(1, -1)
    } finally {
      isLeft = true
    }
  }
  await t.throwsAsync(datasetFrom(endless()), { message: /label of example 0, .* -1/ })
  t.true(isLeft)
})

test('a source that hangs can be aborted', async (t) => {
  const [controller, reason] = [new AbortController(), new Error('enough')]
  async function* hanging() {
    yield example(1)
    setImmediate(() => controller.abort(reason))
    await new Promise(() => {})
  }
  await t.throwsAsync(datasetFrom(hanging(), { signal: controller.signal }), { is: reason })
  await t.throwsAsync(datasetFrom(three, { signal: AbortSignal.abort(reason) }), { is: reason })
})

test('names must be enough for the labels', async (t) => {
  await t.throwsAsync(datasetFrom([example(2)], { classes: ['a', 'b'] }), { message: /labels up to 2, but 2 names/ })
})
