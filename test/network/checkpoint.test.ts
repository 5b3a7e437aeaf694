import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, open, readdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { conv2d, dense, type Layer, Sequential } from 'candlewick'
import { temporaryFolder } from '../idx-folder.js'

const run = promisify(execFile)
const inputShape = [1, 28, 28] as const
const onUnix = process.platform === 'win32' ? test.skip : test
const onLinux = process.platform === 'linux' ? test : test.skip

async function initialized(seed = 1, layers: Layer[] = small()): Promise<Sequential> {
  const net = new Sequential(layers)
  await net.initialize({ inputShape, device: 'cpu', threads: 1, seed })
  return net
}

function small(): Layer[] {
  return [conv2d({ channels: 2, kernelSize: 3 }), dense({ units: 3 })]
}

/** Runs a module of its own, for what it costs or for what happens to it. */
function module(code: string, ...args: string[]): string[] {
  return ['--input-type=module', '-e', code, ...args]
}

/** A safetensors file of `tensors`; their data, `bytes` each, are zeros. */
function safetensors(tensors: Record<string, { dtype: string; shape: number[]; bytes: number }>): Buffer {
  let end = 0
  const entries = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    end += bytes
    return [name, { dtype, shape, data_offsets: [end - bytes, end] }]
  })
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header])
}

const weight = { dtype: 'F32', shape: [2, 784], bytes: 4 * 2 * 784 }
const bias = { dtype: 'F32', shape: [2], bytes: 8 }

const refused = (message: RegExp) => ({ code: 'CHECKPOINT_INVALID', message })
const unsaved = (message: RegExp) => ({ code: 'SAVE_FAILED', message })

test('saved parameters are loaded again, into another network too', async (t) => {
  const path = join(await temporaryFolder(t), 'net.safetensors')
  const net = await initialized()
  await net.saveParameters(path)
  const other = await initialized(2)
  t.notDeepEqual(await other.parameters(), await net.parameters())
  await other.loadParameters(path)
  t.deepEqual(await other.parameters(), await net.parameters())
})

test('a backbone is loaded under a new head, and the call says what stays', async (t) => {
  const path = join(await temporaryFolder(t), 'net.safetensors')
  const net = await initialized()
  await net.saveParameters(path)
  const whole = await (await initialized(2)).loadParameters(path)
  t.deepEqual(whole, { loaded: ['conv0.weight', 'conv0.bias', 'dense0.weight', 'dense0.bias'], left: [] })

  const withHead = () => initialized(2, [conv2d({ channels: 2, kernelSize: 3 }), dense({ units: 5 })])
  const head = { loaded: ['conv0.weight', 'conv0.bias'], left: ['dense0.weight', 'dense0.bias'] }
  for (const options of [
    { only: 'conv*' },
    { only: ['conv?.weight', '*0.bia?'], ignoreMismatch: true },
    { ignoreMismatch: true },
  ]) {
    const other = await withHead()
    const before = await other.parameters()
    t.deepEqual(await other.loadParameters(path, options), head)
    const after = await other.parameters()
    t.deepEqual(after['conv0.weight'], (await net.parameters())['conv0.weight'])
    t.deepEqual(after['dense0.weight'], before['dense0.weight'])
  }

  const other = await withHead()
  const before = await other.parameters()
  const invalid = (message: RegExp) => ({ code: 'INVALID_ARGUMENT', message })
  for (const [options, expectation] of [
    [{}, refused(/dense0\.weight has shape \(3, 1352\), but this network's is \(5, 1352\); with ignoreMismatch/)],
    [{ only: 'dense*' }, refused(/dense0\.weight has shape/)],
    [{ only: 'dense*', ignoreMismatch: true }, refused(/no tensor to be loaded is there in this network's shape/)],
    [{ only: ['conv*', 'norm*'] }, invalid(/^The pattern "norm\*" fits none of the network's 4 parameters \(conv0\.w/)],
    [{ only: '' }, invalid(/a string for only, but received ""/)],
    [{ only: [] }, invalid(/a pattern of names, such as "conv\*", or an array of patterns for only/)],
    [{ only: ['*', 7] }, invalid(/a string for only\[1\], but received 7/)],
    [{ ignoreMismatch: 1 }, invalid(/true or false for ignoreMismatch/)],
  ] as const) {
    await t.throwsAsync(other.loadParameters(path, options as never), expectation)
  }
  t.deepEqual(await other.parameters(), before)
})

test('a file of another network changes nothing', async (t) => {
  const dir = await temporaryFolder(t)
  const path = join(dir, 'net.safetensors')
  const net = await initialized()
  const before = await net.parameters()
  const save = async (layers: Layer[]) => (await initialized(2, layers)).saveParameters(path)
  await save([conv2d({ channels: 2, kernelSize: 3 })])
  await t.throwsAsync(net.loadParameters(path), refused(/dense0\.weight of shape \(3, 1352\) is missing/))
  await save([...small(), dense({ units: 3 })])
  await t.throwsAsync(net.loadParameters(path), refused(/dense1\.(weight|bias) and 1 more belongs to no parameter/))
  await save([conv2d({ channels: 2, kernelSize: 5 }), dense({ units: 3 })])
  await t.throwsAsync(net.loadParameters(path), refused(/conv0\.weight has shape \(2, 1, 5, 5\)/))
  await t.throwsAsync(net.loadParameters(join(dir, 'none')), {
    code: 'CHECKPOINT_NOT_FOUND',
    message: /^Cannot read parameters from .*none: no such file.*; name a file that net\.saveParameters wrote\.$/,
  })
  await t.throwsAsync(net.loadParameters(import.meta.filename), refused(/not a safetensors file/))
  t.deepEqual(await net.parameters(), before)
  await save([...small(), dense({ units: 3 })])
  await net.loadParameters(path, { ignoreExtra: true })
  t.notDeepEqual(await net.parameters(), before)
})

for (const [dtype, size] of Object.entries({ BOOL: 1, I8: 1, U64: 8, F8_E5M2: 1, C64: 8, OF_TOMORROW: 5 })) {
  test(`an extra tensor of ${dtype} is passed over or named`, async (t) => {
    const path = join(await temporaryFolder(t), 'net.safetensors')
    const tensors = { 'dense0.weight': weight, mask: { dtype, shape: [4], bytes: 4 * size }, 'dense0.bias': bias }
    await writeFile(path, Buffer.concat([safetensors(tensors), Buffer.alloc(weight.bytes + 4 * size + bias.bytes)]))
    const net = await initialized(1, [dense({ units: 2 })])
    await t.throwsAsync(net.loadParameters(path), refused(/tensor mask belongs to no parameter.*ignoreExtra/))
    await net.loadParameters(path, { ignoreExtra: true })
    t.true(Object.values(await net.parameters()).every(({ data }) => data.every((x) => x === 0)))
  })
}

onUnix('what is no file is refused at once, and the network goes on', async (t) => {
  const dir = await temporaryFolder(t)
  const net = await initialized()
  const pipe = join(dir, 'pipe')
  await run('mkfifo', [pipe])
  const socket = join(dir, 'socket')
  const server = createServer().listen(socket)
  t.teardown(() => server.close())
  await once(server, 'listening')
  for (const [path, kind] of [
    [dir, 'a folder'],
    [pipe, 'a pipe, not a file'],
    [socket, 'a socket, not a file'],
    ['/dev/zero', 'a device, not a file'],
    ['/dev/null', 'a device, not a file'],
  ] as const) {
    await t.throwsAsync(net.loadParameters(path), refused(new RegExp(`${path}: it is ${kind}; name a file`)))
    await t.throwsAsync(net.saveParameters(path), unsaved(new RegExp(`${path}: it is ${kind}; `)))
  }
  t.is((await net.predict({ data: new Uint8Array(784), shape: [1, 1, 28, 28] })).labels.length, 1)
})

onLinux('no more of a file is read than its header allows', async (t) => {
  const path = join(await temporaryFolder(t), 'net.safetensors')
  const code = `
    import { dense, Sequential } from 'candlewick'
    const net = new Sequential([dense({ units: 2 })])
    await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', threads: 1 })
    const outcome = await net.loadParameters(process.argv[1], { ignoreExtra: true }).then(() => 'read', (e) => e.message)
    console.log(JSON.stringify([outcome, process.resourceUsage().maxRSS / 1024]))`
  const load = async (beginning: Buffer): Promise<[string, number]> => {
    const file = await open(path, 'w')
    await file.write(beginning)
    await file.truncate(2 ** 31)
    await file.close()
    return JSON.parse((await run(process.execPath, module(code, path))).stdout)
  }
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(99_000_000n)
  const valid = safetensors({ 'dense0.weight': weight, 'dense0.bias': bias })
  const rest = 2 ** 31 - weight.bytes - bias.bytes
  const more = { dtype: 'OF_TOMORROW', shape: [7], bytes: rest - valid.length - 70 }
  let whole = safetensors({ 'dense0.weight': weight, 'dense0.bias': bias, more })
  more.bytes = rest - whole.length
  whole = safetensors({ 'dense0.weight': weight, 'dense0.bias': bias, more })
  for (const [beginning, expected] of [
    [Buffer.alloc(0), /its header: EOF/],
    [length, /its header: expected value/],
    [valid, /its tensors take 6280 bytes, but it holds 2147/],
    [whole, /^read$/],
  ] as const) {
    const [outcome, peak] = await load(beginning)
    t.regex(outcome, expected)
    t.true(peak < 300, `${outcome}: ${peak} MB`)
  }
})

test('a path that cannot be written is named and nothing is left there', async (t) => {
  const dir = await temporaryFolder(t)
  const net = await initialized()
  const file = join(dir, 'file')
  await writeFile(file, 'mine')
  for (const [path, reason] of [
    [join(dir, 'missing', 'net.safetensors'), /the folder .*missing does not exist; make the folder first/],
    [join(dir, 'missing/'), /it names a folder; name a file in it\.$/],
    [join(file, 'net.safetensors'), /not a directory; make the folder first|does not exist/],
    [dir, /it is a folder; name a file in it\.$/],
    [join(dir, 'x'.repeat(300)), /choose a/],
    ...(process.platform === 'linux' ? [['/proc/net.safetensors', /no such file or directory; /] as const] : []),
  ] as const) {
    const error = await t.throwsAsync(net.saveParameters(path), unsaved(reason))
    t.true(error?.message.startsWith(`Cannot save parameters to ${path}: `), error?.message)
  }
  t.deepEqual(await readdir(dir), ['file'])
  t.is(await readFile(file, 'utf8'), 'mine')
})

onUnix('a file that is replaced keeps its rights, a new one has ordinary ones', async (t) => {
  const dir = await temporaryFolder(t)
  const net = await initialized()
  const mode = async (path: string) => (await stat(path)).mode & 0o777
  for (const expected of [0o600, 0o660, 0o604]) {
    const path = join(dir, expected.toString(8))
    await writeFile(path, 'old')
    await chmod(path, expected)
    await net.saveParameters(path)
    t.is(await mode(path), expected)
  }
  await writeFile(join(dir, 'plain'), '') // 0666 less umask
  await net.saveParameters(join(dir, 'new'))
  t.is(await mode(join(dir, 'new')), await mode(join(dir, 'plain')))
})

onUnix('a write-protected file is not overwritten', async (t) => {
  const dir = await temporaryFolder(t)
  const path = join(dir, 'net.safetensors')
  await writeFile(path, 'kept')
  await chmod(path, 0o444)
  await t.throwsAsync(
    (await initialized()).saveParameters(path),
    unsaved(/write-protected; make it writable, or choose/),
  )
  t.is(await readFile(path, 'utf8'), 'kept')
  t.deepEqual(await readdir(dir), ['net.safetensors'])
})

onUnix('a link stays one, and its target is made', async (t) => {
  const dir = await temporaryFolder(t)
  const net = await initialized()
  await mkdir(join(dir, 'runs'))
  await symlink('runs/7', join(dir, 'latest'))
  await net.saveParameters(join(dir, 'latest'))
  t.is(await readlink(join(dir, 'latest')), 'runs/7')
  await (await initialized(2)).loadParameters(join(dir, 'runs', '7'))
  t.deepEqual(await readdir(join(dir, 'runs')), ['7'])
  await symlink('loop', join(dir, 'loop'))
  await t.throwsAsync(
    net.saveParameters(join(dir, 'loop')),
    unsaved(/too many levels of symbolic links; choose another/),
  )
  await symlink('nowhere/net', join(dir, 'astray'))
  await t.throwsAsync(net.saveParameters(join(dir, 'astray')), unsaved(/the folder .*nowhere does not exist/))
})

onLinux('what killed writers leave is swept up by the next', async (t) => {
  const dir = await temporaryFolder(t)
  const path = join(dir, 'net.safetensors')
  const layers = [dense({ units: 1000 })]
  const code = `
    import { dense, Sequential } from 'candlewick'
    const net = new Sequential([dense({ units: 1000 })])
    await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', threads: 1 })
    console.log('saving')
    for (;;) await net.saveParameters(process.argv[1])`
  const net = await initialized(1, layers)
  for (let i = 0; i < 4; i++) {
    const child = spawn(process.execPath, module(code, path))
    await once(child.stdout, 'data')
    // As soon as a temporary file is there.
    while ((await readdir(dir)).every((name) => name === 'net.safetensors'));
    child.kill('SIGKILL')
    await once(child, 'exit')
    if ((await readdir(dir)).includes('net.safetensors')) await net.loadParameters(path)
  }
  await net.saveParameters(path)
  t.deepEqual(await readdir(dir), ['net.safetensors'])
})

test('two networks that save to one path leave one whole file', async (t) => {
  const dir = await temporaryFolder(t)
  const path = join(dir, 'net.safetensors')
  const [a, b, reader] = [await initialized(1), await initialized(2), await initialized(3)]
  const known = await Promise.all([a, b].map(async (net) => String((await net.parameters())['dense0.weight']?.data)))
  t.not(known[0], known[1])
  await a.saveParameters(path)
  let isReading = true
  const savers = [a, b].map(async (net) => {
    while (isReading) await net.saveParameters(path)
  })
  for (let i = 0; i < 30; i++) {
    await reader.loadParameters(path)
    t.true(known.includes(String((await reader.parameters())['dense0.weight']?.data)))
  }
  isReading = false
  await Promise.all(savers)
  t.deepEqual(await readdir(dir), ['net.safetensors'])
})

// Mounts of a process of its own, where the system lets it have some.
const hasMounts = spawnSync('unshare', ['-mr', 'true']).status === 0
const onMounts = hasMounts ? test : test.skip

for (const [where, mount] of [
  ['mounted file', 'mount --bind "$1/inner" "$1/dir/net"'],
  [
    'folder for reading',
    'mount --bind "$1/dir" "$1/dir" && mount -o remount,ro,bind "$1/dir" && mount --bind "$1/inner" "$1/dir/net"',
  ],
] as const) {
  onMounts(`a file that nothing can take the place of is written in place: a ${where}`, async (t) => {
    const root = await temporaryFolder(t)
    await mkdir(join(root, 'dir'))
    for (const name of ['inner', 'dir/net']) await writeFile(join(root, name), 'old')
    const code = `
      import { dense, Sequential } from 'candlewick'
      import { checkSavePath } from './dist/addon.js'
      const make = async (seed) => {
        const net = new Sequential([dense({ units: 2 })])
        await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', threads: 1, seed })
        return net
      }
      const [a, b, reader] = [await make(1), await make(2), await make(3)]
      const path = process.argv[1]
      checkSavePath(path, 6280)
      await a.saveParameters(path)
      const first = async (net) => (await net.parameters())['dense0.weight'].data
      const known = (await Promise.all([a, b].map(first))).map(String)
      let isReading = true
      const savers = [a, b].map(async (net) => { while (isReading) await net.saveParameters(path) })
      for (let i = 0; i < 20; i++) {
        await reader.loadParameters(path)
        if (!known.includes(String(await first(reader)))) throw new Error('mixed')
      }
      isReading = false
      await Promise.all(savers)
      await a.saveParameters(path)`
    const script = `${mount} && shift && exec "$@"`
    const node = [process.execPath, ...module(code, join(root, 'dir', 'net'))]
    await run('unshare', ['-mr', 'sh', '-c', script, 'sh', root, ...node])
    const net = await initialized(2, [dense({ units: 2 })])
    await net.loadParameters(join(root, 'inner'))
    const expected = await initialized(1, [dense({ units: 2 })])
    t.deepEqual(await net.parameters(), await expected.parameters())
    t.is(await readFile(join(root, 'dir', 'net'), 'utf8'), 'old', 'what the mount hides')
    t.deepEqual(await readdir(join(root, 'dir')), ['net'])
  })
}

onMounts('a full disk is noticed while the old is still there', async (t) => {
  const root = await temporaryFolder(t)
  await mkdir(join(root, 'readonly'))
  for (const name of ['short', 'holes']) await writeFile(join(root, 'readonly', name), '')
  // A disk with less room than the network needs, and a folder for reading in which two of its files are written in place.
  const mount = `
    cd "$1" && mkdir disk && mount -t tmpfs -o size=256k tmpfs disk && printf old > disk/old && printf old > disk/short
    truncate -s 1M disk/holes && printf old | dd of=disk/holes conv=notrunc status=none
    mount --bind readonly readonly && mount -o remount,ro,bind readonly
    for name in short holes; do mount --bind disk/$name readonly/$name; done
    cd "$OLDPWD" && shift && exec "$@"`
  const code = `
    import { readdir, readFile } from 'node:fs/promises'
    import { dense, Sequential } from 'candlewick'
    import { checkSavePath } from './dist/addon.js'
    process.chdir(process.argv[1])
    const net = new Sequential([dense({ units: 100 })])
    await net.initialize({ inputShape: [1, 28, 28], device: 'cpu', threads: 1 })
    const checks = ['disk/new', 'disk/old'].map((path) => {
      try { checkSavePath(path, 400000) } catch (error) { return error.message }
    })
    const saves = []
    for (const path of ['disk/new', 'disk/old', 'readonly/short', 'readonly/holes']) {
      saves.push(await net.saveParameters(path).catch((error) => error.message))
    }
    const beginning = async (name) => (await readFile('disk/' + name, 'latin1')).slice(0, 8)
    const files = Object.fromEntries(await Promise.all((await readdir('disk')).map(async (name) => [name, await beginning(name)])))
    const load = await net.loadParameters('disk/holes').catch((error) => error.code)
    console.log(JSON.stringify({ checks, saves, files, load }))`
  const self = [process.execPath, ...module(code, root)]
  const { stdout } = await run('unshare', ['-mr', 'sh', '-c', mount, 'sh', root, ...self])
  const answer = JSON.parse(stdout.replaceAll(`${root}/`, ''))
  const full = (path: string, more = '') =>
    `annot save parameters to ${path}: no space left on device${more}; make room, or choose another disk`
  const lost = ', and what stood there is lost, as it had to be written in place'
  t.deepEqual(answer, {
    checks: ['disk/new', 'disk/old'].map((path) => `SAVE_FAILED: c${full(path)}`),
    saves: [
      ...['disk/new', 'disk/old', 'readonly/short'].map((path) => `C${full(path)}.`),
      `C${full('readonly/holes', lost)}.`,
    ],
    files: { old: 'old', short: 'old', holes: '\0'.repeat(8) },
    load: 'CHECKPOINT_INVALID',
  })
})

test('train learns that a path cannot be written before it loads anything', async (t) => {
  const dir = await temporaryFolder(t)
  const kept = join(dir, 'kept')
  await writeFile(kept, 'kept')
  await chmod(kept, 0o444)
  await writeFile(join(dir, 'old'), 'old')
  const train = (path: string) =>
    run(process.execPath, ['dist/cli.js', 'train', '--data', join(dir, 'none'), '--save', path]).then(
      () => 'trained',
      ({ code, stderr }) => `${code} ${stderr}`,
    )
  for (const [path, reason] of [
    [dir, /it is a folder/],
    [join(dir, 'none', 'net'), /the folder .*none does not exist/],
    [join(dir, 'x'.repeat(300)), /choose a/],
    [kept, /write-protected/],
    ...(process.platform === 'linux' ? [['/dev/full', /it is a device/] as const] : []),
  ] as const) {
    const outcome = await train(path)
    t.regex(outcome, reason)
    t.true(outcome.startsWith(`1 candlewick: Cannot save parameters to ${path}: `), outcome)
  }
  const before = await stat(join(dir, 'old'))
  t.notRegex(await train(join(dir, 'old')), /Cannot save/)
  t.is((await stat(join(dir, 'old'))).mtimeMs, before.mtimeMs)
  t.deepEqual((await readdir(dir)).sort(), ['kept', 'old'])
})
