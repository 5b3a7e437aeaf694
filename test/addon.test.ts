import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { CandlewickError, type ErrorCode } from 'candlewick'
import { callAddon, callAddonAsync, version } from '#dist/addon.js'

/** What becomes of an error of the addon's. */
function caught(error: unknown): CandlewickError {
  try {
    callAddon(() => thrown(error))
  } catch (ours) {
    return ours as CandlewickError
  }
  throw new Error('nothing was thrown')
}

test("the addon's version is the package's", async (t) => {
  t.is(version(), JSON.parse(await readFile('package.json', 'utf8')).version)
})

test('an error of the addon has its code and reads as a sentence, from whichever realm it comes', async (t) => {
  const message = 'INVALID_SHAPE: layers do not fit'
  for (const error of [new Error(message), runInNewContext('new Error(message)', { message }), { message }]) {
    const expected = { instanceOf: CandlewickError, code: 'INVALID_SHAPE', message: 'Layers do not fit.' }
    t.throws(() => callAddon(() => thrown(error)), expected)
    await t.throwsAsync(
      callAddonAsync(() => Promise.reject(error)),
      expected,
    )
  }
  t.is(caught(new Error('INVALID_SHAPE: conv0 is too large')).message, 'conv0 is too large.')
  t.is(caught(new Error('INVALID_SHAPE: it ends.')).message, 'It ends.')
  t.is(caught(new Error('INVALID_SHAPE: 1.5 is odd')).message, '1.5 is odd.')
})

function thrown(error: unknown): never {
  throw error
}

test('an error of ours passes as it is', (t) => {
  const ours = new CandlewickError('BUSY', 'It is busy.')
  t.is(ours.name, 'CandlewickError')
  t.is(caught(ours), ours)
})

test('what has no code that users know is a defect, and says so', (t) => {
  for (const message of [
    'Given napi value is not an array',
    'CANCELLED: the work was cancelled',
    'NO_SUCH: a',
    'it failed: BUSY: a',
    'BUSY: ',
  ]) {
    const error = caught(new Error(message))
    t.is(error.code, 'INTERNAL')
    t.true(error.message.includes(`(${message})`))
    t.regex(error.message, /^candlewick failed .* please report it\.$/)
    t.is((error.cause as Error).message, message)
  }
})

test('what fails in a call for want of memory says that', (t) => {
  const error = t.throws(() => callAddon(() => new Uint8Array(2 ** 52)), { code: 'OUT_OF_MEMORY' })
  t.regex(error?.message ?? '', /^There is not enough memory \(.*\); free some first\.$/)
  t.is(caught(new RangeError('Allocation failed')).code, 'OUT_OF_MEMORY')
})

const frames =
  '\n   0: std::backtrace::Backtrace::create\n             at /rustc/1/library/std/src/backtrace.rs:331:13\n   1: main'

test('no sentence carries a backtrace', (t) => {
  for (const between of ['', '\n\nStack backtrace:', '\nstack backtrace:']) {
    t.is(caught(new Error(`INTERNAL: candle failed: bad${between}${frames}`)).message, 'Candle failed: bad.')
    const inside = caught(new Error(`INTERNAL: it failed (bad${between}${frames}); please report it`))
    t.is(inside.message, 'It failed (bad); please report it.')
    t.false(caught(new Error(`napi failed${between}${frames}`)).message.includes('\n'))
  }
  t.is(caught(new Error('SAVE_FAILED: cannot write a\n1\nb')).message, 'Cannot write a\n1\nb.', 'a path may have lines')
})

test('every code of the Rust side but CANCELLED is an ErrorCode', async (t) => {
  const source = await readFile('crates/candlewick/src/error.rs', 'utf8')
  const codes = [...source.matchAll(/=> "([A-Z_]+)"/g)].map(([, code]) => code as ErrorCode)
  t.true(codes.length > 10)
  for (const code of codes)
    t.is(caught(new Error(`${code}: x`)).code, code === ('CANCELLED' as string) ? 'INTERNAL' : code)
})

test('nothing else of src imports the addon', async (t) => {
  const files = (await readdir('src', { recursive: true })).filter((name) => name.endsWith('.ts'))
  const sources = await Promise.all(
    files.map(async (name) => [name, await readFile(join('src', name), 'utf8')] as const),
  )
  t.deepEqual(
    sources.filter(([, source]) => source.includes("/load-addon.js'")).map(([name]) => name),
    ['addon.ts'],
  )
})
