import test from 'ava'
import { conv2d, dense, type InitializeOptions, Sequential, sgd, step } from 'candlewick'

const small = () => new Sequential([conv2d({ channels: 2, kernelSize: 3 }), dense({ units: 3 })])

async function initialized(options: InitializeOptions = {}): Promise<Sequential> {
  const net = small()
  await net.initialize({ inputShape: [1, 5, 5], device: 'cpu', seed: 1, ...options })
  return net
}

const images = (n: number, side: number) => ({ data: new Uint8Array(n * side * side), shape: [n, 1, side, side] })
const refused = (message: RegExp) => ({ code: 'INVALID_ARGUMENT', message })

const options: [option: object, message: RegExp][] = [
  [{ threads: 0 }, /from 1 to 1024 for threads, .* 0\.$/],
  [{ threads: 1025 }, /from 1 to 1024 for threads, .* 1025\.$/],
  [{ device: '' }, /for device, .* ""/],
  [{ device: 0 }, /for device, .* 0\.$/],
  [{ inputShape: [1, 5] }, /\[channels, height, width\] for inputShape/],
  [{ inputShape: [1, 5, 5, 1] }, /\[channels, height, width\] for inputShape/],
  [{ inputShape: [1, 0, 5] }, /at least 1 for inputShape\[1\], .* 0\.$/],
  [{ forceReinit: 1 }, /true or false for forceReinit, .* 1\.$/],
  [{ shape: [1, 5, 5] }, /"shape" for initialize; .*inputShape, init, device, seed, threads, forceReinit/],
]

for (const [option, message] of options) {
  test(`initialize refuses ${JSON.stringify(option)}, and the network stays as it was`, async (t) => {
    const net = await initialized()
    const before = await net.parameters()
    await t.throwsAsync(net.initialize({ forceReinit: true, ...option }), refused(message))
    t.deepEqual(await net.parameters(), before)
    t.is(net.seed, 1)
  })
}

test('the most threads are taken, and change nothing', async (t) => {
  const [one, most] = [await initialized({ threads: 1 }), await initialized({ threads: 1024 })]
  t.deepEqual(await most.predict(images(40, 5)), await one.predict(images(40, 5)))
})

test('a network says where it runs and of which seed it is, once it is initialized', async (t) => {
  const net = small()
  for (const read of [() => net.device, () => net.seed]) {
    t.throws(read, { code: 'NOT_INITIALIZED', message: /net\.initialize/ })
  }
  await net.initialize({ device: 'cpu', seed: 7 })
  t.deepEqual([net.device, net.seed], ['cpu', 7])
  await net.initialize({ device: 'cpu', forceReinit: true })
  const first = net.seed
  await net.initialize({ device: 'cpu', forceReinit: true })
  t.not(net.seed, first, 'a seed that was not given is drawn')
})

test('images that do not fit leave a waiting network waiting', async (t) => {
  const net = small()
  await net.initialize({ device: 'cpu', seed: 1 })
  const shapes = () => net.layers.map(({ outputShape }) => outputShape)
  await t.throwsAsync(net.predict(images(1, 2)), { code: 'INVALID_SHAPE', message: /conv0/ })
  t.deepEqual(shapes(), [null, null])
  await t.throwsAsync(net.parameters(), { code: 'NOT_INITIALIZED', message: /waits for the shape/ })
  await net.predict(images(1, 5))
  t.deepEqual(shapes(), [
    [1, 2, 3, 3],
    [1, 3],
  ])
  t.deepEqual(await net.parameters(), await (await initialized()).parameters())
  await t.throwsAsync(net.predict(images(1, 6)), { code: 'INVALID_SHAPE' })
})

test('a failure that comes late leaves alone what was initialized meanwhile', async (t) => {
  const net = small()
  await net.initialize({ device: 'cpu', seed: 1 })
  const failing = net.predict(images(1, 2))
  await net.initialize({ device: 'cpu', seed: 1, forceReinit: true })
  const fitting = net.predict(images(1, 5))
  await t.throwsAsync(failing, { code: 'INVALID_SHAPE' })
  await fitting
  t.deepEqual(await net.parameters(), await (await initialized()).parameters())
})

test('what could not be made is forgotten when the network is initialized again', async (t) => {
  const net = small()
  await net.initialize({ device: 'cpu', seed: 1 })
  const failing = t.throwsAsync(net.predict(images(1, 2)), { code: 'INVALID_SHAPE' })
  for (let i = 0; i < 20; i++) await undefined // so that the failing call has begun, and cannot have ended
  await net.initialize({ device: 'cpu', seed: 1, forceReinit: true })
  const fitting = net.predict(images(1, 5))
  await failing
  await fitting
  t.deepEqual(await net.parameters(), await (await initialized()).parameters())
})

test('calls that wait behind one that cannot make the network share what comes after it', async (t) => {
  const [net, other] = [small(), await initialized()]
  const optimizer = sgd({ learningRate: 1 })
  await net.initialize({ device: 'cpu', seed: 1 })
  const failing = t.throwsAsync(net.predict(images(1, 2)), { code: 'INVALID_SHAPE' })
  await Promise.all([failing, ...[0, 1].map((label) => step(net, images(1, 5), [label], optimizer))])
  for (const label of [0, 1]) await step(other, images(1, 5), [label], optimizer)
  t.deepEqual(await net.parameters(), await other.parameters())
})

test('a call that waited behind one that failed makes the network by its newest settings', async (t) => {
  const net = small()
  await net.initialize({ device: 'cpu', seed: 2 })
  const failing = t.throwsAsync(net.predict(images(1, 2)), { code: 'INVALID_SHAPE' })
  const waiting = net.predict(images(1, 5))
  for (let i = 0; i < 20; i++) await undefined
  await net.initialize({ device: 'cpu', seed: 1, forceReinit: true })
  await Promise.all([failing, waiting])
  t.deepEqual(await net.parameters(), await (await initialized()).parameters())
})

test('a network without options waits for its first images', async (t) => {
  const net = small()
  await net.initialize()
  t.is((await net.predict(images(1, 5))).labels.length, 1)
})

test('a proxy of a network, as some frameworks make, is named as what it is', async (t) => {
  const net = await initialized()
  const proxy = new Proxy(net, {})
  const expected = refused(/^Expected a Sequential for net, but received a proxy; pass what it stands for/)
  for (const call of [
    () => proxy.initialize({ forceReinit: true }),
    () => proxy.layers,
    () => proxy.describe([1, 5, 5]),
    () => proxy.device,
    () => proxy.seed,
    () => proxy.predict(images(1, 5)),
    () => proxy.parameters(),
    () => proxy.loadParameters('x'),
    () => proxy.saveParameters('x'),
    () => proxy.dispose(),
    () => proxy[Symbol.asyncDispose](),
  ]) {
    await t.throwsAsync(async () => call(), expected)
  }
  t.throws(() => proxy[Symbol.dispose](), expected)
  t.is((await net.predict(images(1, 5))).labels.length, 1)
})

test('a network that is initialized again without a shape waits for one again', async (t) => {
  const net = await initialized()
  await net.initialize({ device: 'cpu', seed: 1, forceReinit: true })
  t.deepEqual(
    net.layers.map(({ outputShape, parameterCount }) => [outputShape, parameterCount]),
    [
      [null, null],
      [null, null],
    ],
  )
  await net.predict(images(1, 6))
  t.deepEqual(net.layers[0]?.outputShape, [1, 2, 4, 4])
})

test('a network that waits can be described, for any shape', (t) => {
  const net = small()
  t.deepEqual(
    net.describe([2, 3, 4]).map(({ name, outputShape, parameterCount }) => [name, outputShape, parameterCount]),
    [
      ['conv0', [1, 2, 1, 2], 38],
      ['dense0', [1, 3], 15],
    ],
  )
  t.deepEqual(
    net.layers.map(({ name }) => name),
    ['conv0', 'dense0'],
  )
  t.throws(() => net.describe([1, 5]), refused(/for inputShape/))
  t.throws(() => net.describe([1, 5, 0.5]), refused(/for inputShape\[2\], .* 0\.5/))
})

test('files are named by strings', async (t) => {
  const net = await initialized()
  for (const path of ['', undefined, 5]) {
    await t.throwsAsync(net.saveParameters(path as string), refused(/a string for path/))
    await t.throwsAsync(net.loadParameters(path as string), refused(/a string for path/))
  }
  const options = { ignoreExtras: true } as object
  await t.throwsAsync(net.loadParameters('x', options), refused(/"ignoreExtras" for loadParameters; .*ignoreExtra/))
  const unclear = { ignoreExtra: 'yes' } as object
  await t.throwsAsync(net.loadParameters('x', unclear), refused(/true or false for ignoreExtra, .* "yes"/))
})

test('layers that are none are refused', (t) => {
  for (const layers of [[], undefined, {}]) {
    t.throws(() => new Sequential(layers as []), refused(/an array of at least one layer for layers/))
  }
})

test('a device that is not there is refused at once, and the network stays as it was', async (t) => {
  const net = new Sequential([dense({ units: 3 })])
  await net.initialize({ inputShape: [1, 2, 2], device: 'cpu', seed: 1 })
  const before = await net.parameters()
  for (const [device, code] of [
    ['nonsense', 'INVALID_ARGUMENT'],
    ['cuda:9999', 'DEVICE_UNAVAILABLE'],
  ] as const) {
    await t.throwsAsync(net.initialize({ device: device as 'cpu', forceReinit: true }), {
      code,
      message: new RegExp(device),
    })
  }
  t.deepEqual(await net.parameters(), before)
})
