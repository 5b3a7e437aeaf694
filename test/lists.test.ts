/** What Rust lists, TypeScript and the README list too. Rust's serde names all kinds when it is given another. */

import { readFile } from 'node:fs/promises'
import test from 'ava'
import { CandlewickError, conv2d, Sequential } from 'candlewick'
import { callAddon, describeLayers } from '#dist/addon.js'

/** The message of what `call` throws. */
function refusal(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof CandlewickError) return error.message
    throw error
  }
  throw new Error('nothing was refused')
}

/** Kinds that Rust knows where it is given another. */
function known(layers: unknown): string[] {
  const message = refusal(() => callAddon(() => describeLayers(JSON.stringify(layers), [1, 8, 8])))
  const [, list] = /unknown variant `\?`, expected (?:one of )?(.*)/.exec(message) ?? []
  return Array.from(list?.matchAll(/`(\w+)`/g) ?? [], ([, kind]) => kind as string)
}

const layers = known([{ kind: '?' }])
const activations = known([{ kind: 'dense', units: 1, activation: '?' }])

test('activations are the same in TypeScript and in Rust', (t) => {
  const message = refusal(() => conv2d({ channels: 1, kernelSize: 1, activation: '?' as never }))
  const listed = Array.from(message.matchAll(/"(\w+)"|(\w+)\(\.\.\.\)/g), ([, name, called]) => name ?? called)
  t.deepEqual(new Set(listed.filter((name) => name !== undefined)), new Set(activations))
  t.true(activations.includes('relu'))
})

test('layers that Rust knows are known to TypeScript', (t) => {
  t.true(layers.includes('dense'))
  for (const kind of layers) {
    const message = refusal(() => Sequential.fromJSON([{ kind }] as never))
    t.notRegex(message, /a layer, such as/, kind)
  }
})

test('the README names them all', async (t) => {
  const readme = await readFile('README.md', 'utf8')
  for (const kind of [...layers, ...activations]) t.true(readme.includes(`\`${kind}`), kind)
})
