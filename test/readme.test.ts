import { readFile } from 'node:fs/promises'
import test from 'ava'
import { usage } from '#dist/cli/usage.js'

test('the README shows the help that the command prints', async (t) => {
  t.true((await readFile('README.md', 'utf8')).includes(usage))
})
