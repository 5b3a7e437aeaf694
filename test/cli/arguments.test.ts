/** Arguments that the command refuses, without a process for each. */

import test from 'ava'
import { explain, main } from '#dist/cli/main.js'
import { usage } from '#dist/cli/usage.js'
import { jsonLine } from '#dist/json.js'

/** The line that a command line ends in, and its exit code. */
async function failure(args: string[]): Promise<{ line: string; code: number }> {
  try {
    return { line: '', code: await main(args, new AbortController().signal) }
  } catch (error) {
    return explain(error)
  }
}

for (const [args, code, message] of [
  [
    ['trian'],
    2,
    /Unknown command "trian"; expected one of train, predict, evaluate, data, augment, summary, devices\./,
  ],
  [[''], 2, /Unknown command ""/],
  [['constructor'], 2, /Unknown command "constructor"/],
  [['train', '--epohcs', '3'], 2, /^candlewick: Unknown option '--epohcs'\. See/],
  [['train', '--a.b'], 2, /^candlewick: Unknown option '--a\.b'\. See/],
  [['summary', '--epochs', '3'], 2, /Unknown option '--epochs'/],
  [['devices', '--data', '.'], 2, /Unknown option '--data'/],
  [['train', '--epochs', '0'], 2, /from 1 .*--epochs, but received "0"/],
  [['train', '--epochs=-1'], 2, /from 1 .*--epochs, but received "-1"/],
  [['train', '--epochs', '-1'], 2, /--epochs/],
  [['train', '--epochs', '2147483648'], 2, /from 1 to 2147483647 for --epochs, but received "2147483648"/],
  [['train', '--epochs='], 2, /--epochs, but received ""/],
  [['train', '--epochs', '1', '--epochs', '2'], 2, /Expected --epochs once, but received it twice/],
  [['train', '--epochs=1', '--epochs=1'], 2, /--epochs once/],
  [['summary', '--json', '--json'], 2, /--json once/],
  [['summary', '--json=true'], 2, /'--json' does not take an argument/],
  [['train', '--batch-size', '0'], 2, /from 1 .*--batch-size, but received "0"/],
  [['train', '--batch-size', '1.5'], 2, /--batch-size, but received "1\.5"/],
  [['train', '--batch-size', '1e3'], 2, /--batch-size, but received "1e3"/],
  [['train', '--batch-size', ' 8'], 2, /--batch-size, but received " 8"/],
  [['train', '--learning-rate', 'fast'], 2, /--learning-rate, but received "fast"/],
  [['train', '--learning-rate', 'NaN'], 2, /"NaN"/],
  [['train', '--learning-rate', 'Infinity'], 2, /"Infinity"/],
  [['train', '--learning-rate=-1'], 2, /"-1"/],
  [['train', '--learning-rate', '1e39'], 2, /from 1e-45 to 3\.4e38, for --learning-rate, but received "1e39"/],
  [['train', '--learning-rate', '1e-50'], 2, /from 1e-45 to 3\.4e38, for --learning-rate, but received "1e-50"/],
  [['train', '--learning-rate', '0x10'], 2, /"0x10"/],
  [['train', '--learning-rate', '0.1 '], 2, /"0\.1 "/],
  [['train', '--learning-rate', '0,1'], 2, /"0,1"/],
  [['train', '--learning-rate', '.'], 2, /"\."/],
  [['train', '--threads', '0'], 2, /from 1 to 1024 for --threads, but received "0"/],
  [['train', '--threads', '1025'], 2, /from 1 to 1024 for --threads, but received "1025"/],
  [['evaluate', 'net.safetensors', '--threads', '0'], 2, /--threads, but received "0"/],
  [['train', '--device', 'gpu'], 2, /auto, cpu or cuda: and a number for --device, but received "gpu"/],
  [['train', '--device', 'cuda'], 2, /--device, but received "cuda"/],
  [['train', '--device', 'cuda:'], 2, /--device, but received "cuda:"/],
  [['train', '--device', 'xcuda:0'], 2, /--device, but received "xcuda:0"/],
  [['train', '--device', 'cuda:0x'], 2, /--device, but received "cuda:0x"/],
  [['train', '--device', 'cpu', '--data', '/nowhere'], 1, /no folder \/nowhere/],
  [['train', '--device', 'CPU'], 2, /--device, but received "CPU"/],
  [['train', '--device='], 2, /--device, but received ""/],
  [['train', '--engine', 'torch'], 2, /Expected fused or candle for --engine, but received "torch"/],
  [['train', '--preset', 'resnet'], 2, /Expected lenet or modern for --preset, but received "resnet"/],
  [['evaluate', 'net.safetensors', '--preset', 'Modern'], 2, /--preset, but received "Modern"/],
  [['summary', '--preset='], 2, /--preset, but received ""/],
  [['devices', '--preset', 'modern'], 2, /Unknown option '--preset'/],
  [['devices', '--engine='], 2, /--engine, but received ""/],
  [['train', '--engine', 'candle', '--device', 'cuda:9999'], 1, /cuda:9999 was asked for, but/],
  [['evaluate', 'net.safetensors', '--device', 'metal'], 1, /Metal is for the engine "candle"/],
  [['train', 'now'], 1, /Cannot read data from now: there is no such folder/],
  [['train', 'fashion-mnist', 'now'], 2, /Unexpected argument "now"/],
  [['train', 'README.md'], 2, /Expected a folder of data, but README\.md is a file/],
  [['train', 'fashion-mnist', '--data', '.'], 2, /Expected fashion-mnist or --data \., but received both/],
  [['predict', 'net.safetensors'], 2, /Expected a file of a network and pictures/],
  [['data'], 2, /Expected a folder of pictures/],
  [['train', '--fit', 'crop'], 2, /Expected cover or contain or stretch for --fit/],
  [['train', '--channels', '2'], 2, /Expected 1 or 3 for --channels/],
  [['train', '--', '--epochs'], 1, /Cannot read data from --epochs/],
  [['evaluate', 'a.safetensors', 'b', 'c'], 2, /Unexpected argument "c"/],
  [['train', '--seed'], 2, /--seed/],
  [['train', '--seed', '4294967296'], 2, /from 0 to 4294967295 for --seed, but received "4294967296"/],
  [['train', '--seed=-1'], 2, /--seed, but received "-1"/],
  [['evaluate'], 2, /file of parameters/],
  [['evaluate', ''], 2, /file of parameters/],
  [['train', '--save', ''], 2, /--save, but received ""/],
  [['train', '--init='], 2, /--init, but received ""/],
  [['train', '--data='], 2, /--data, but received ""/],
  [['train', '--data', '/nowhere'], 1, /no folder \/nowhere/],
  [['train', '--epochs', '2147483647', '--threads', '1024', '--data', '/nowhere'], 1, /no folder \/nowhere/],
  [['train', '--epochs', '1', '--threads', '1', '--seed', '0', '--data', '/nowhere'], 1, /no folder \/nowhere/],
  [['train', '--device', 'cuda:9999'], 1, /cuda:9999/],
  // Data and files are looked at after the usage, in the order of their cost.
  [['train', '--epochs', '0', '--init', '/nowhere.safetensors'], 2, /--epochs/],
  [
    ['train', '--init', '/nowhere.safetensors', '--data', '/nowhere'],
    1,
    /from \/nowhere\.safetensors: there is no such file; name a file that/,
  ],
  [['train', '--init', '/', '--data', '/nowhere'], 1, /from \/: it is a folder; name a file that/],
  [['train', '--init', '/dev/zero', '--data', '/nowhere'], 1, /from \/dev\/zero: it is no file; name a file that/],
  [['train', '--init', '/etc/hostname/x', '--data', '/nowhere'], 1, /from \/etc\/hostname\/x: ENOTDIR/],
  [['evaluate', '/nowhere.safetensors', '--data', '/nowhere'], 1, /from \/nowhere\.safetensors: there is no such file/],
  [['augment'], 2, /Expected --sheet and a file for the picture/],
  [['augment', '--sheet='], 2, /--sheet, but received ""/],
  [['augment', '--sheet', 'a.png', '--count', '0'], 2, /from 1 to 1000 for --count, but received "0"/],
  [['augment', '--sheet', 'a.png', '--augment', 'flip,blur'], 2, /Expected flip, shift, .*, but received "blur"/],
  [['augment', '--sheet', 'a.png', '--augment', 'constructor'], 2, /but received "constructor"/],
  [['augment', '--sheet', 'a.png', '--augment', 'flip,'], 2, /but received ""/],
  [['augment', '--sheet', 'a.png', '--augment', 'crop:-1'], 2, /but received "crop:-1"/],
  [['augment', '--sheet', 'a.png', '--augment', 'flip:1'], 2, /Expected flip alone for --augment\./],
  [['augment', '--sheet', 'a.png', '--augment', 'shift,contrast,zoom:1'], 2, /zoom:1: Expected .* below 1 for amount/],
  [['augment', '--sheet', 'a.png', '--augment', 'mixup:0'], 2, /mixup:0: Expected a finite number above 0 for alpha/],
  [['augment', '--sheet', 'a.png', '--augment', 'crop:1.5'], 2, /crop:1\.5: Expected an integer .* for padding/],
  [['augment', '--sheet', 'a.png', '--augment', 'crop:4,zoom:.5', '--data', '/nowhere'], 1, /no folder \/nowhere/],
  [['train', '--save', '/nowhere/net.safetensors', '--data', '/nowhere'], 1, /\/nowhere\/net\.safetensors/],
] satisfies [string[], number, RegExp][]) {
  test(`candlewick ${JSON.stringify(args)} exits with ${code}`, async (t) => {
    const { line, code: received } = await failure(args)
    t.is(received, code)
    t.regex(line, message)
    t.regex(line, /^candlewick: [^\n]*\.$/, 'one sentence and no stack')
    t.is(line.endsWith(' See candlewick --help.'), code === 2)
  })
}

for (const rate of ['0', '0.0', '1', '1.', '.5', '1e-3', '1E+2', '1e-45', '3.4e38']) {
  test(`--learning-rate ${rate} is a number`, async (t) => {
    t.regex((await failure(['train', '--learning-rate', rate, '--data', '/nowhere'])).line, /no folder \/nowhere/)
  })
}

test('every option that the help names is there, in the commands that it names', async (t) => {
  const isKnown = async (command: string, option: string) =>
    !(await failure([command, `${option}=`])).line.includes('Unknown option')
  t.false(await isKnown('train', '--nothing'))
  const all = ['train', 'predict', 'evaluate', 'data', 'augment', 'summary', 'devices']
  const named = new Map<string, Set<string>>() // options, with the commands that have them by the help
  let section = all
  for (const line of usage.split('\n')) {
    const [, command, option, takers] = /^ {2}(?:candlewick (\w+)| *(--[a-z-]+)(?:.*\(([a-z, ]+)\))?)/.exec(line) ?? []
    if (command) section = [command]
    if (line === '') section = all // the options after the commands are of several
    if (!option) continue
    const commands = section === all ? (takers?.split(', ') ?? all) : section
    named.set(option, new Set([...(named.get(option) ?? []), ...commands]))
  }
  t.is(named.size, 38)
  for (const [option, commands] of named) {
    for (const command of all) t.is(await isKnown(command, option), commands.has(command), `${command} ${option}`)
  }
})

test('JSON says numbers that it does not have as strings', (t) => {
  const odd = {
    loss: Number.NaN,
    high: Number.POSITIVE_INFINITY,
    low: [Number.NEGATIVE_INFINITY],
    fine: 0.5,
    none: null,
  }
  t.is(jsonLine(odd), '{"loss":"NaN","high":"Infinity","low":["-Infinity"],"fine":0.5,"none":null}')
  t.is(Number(JSON.parse(jsonLine(odd)).high), odd.high)
})
