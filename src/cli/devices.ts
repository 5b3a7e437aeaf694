import { devices } from '../network/devices.js'
import { jsonLine } from './json.js'
import { parse } from './usage.js'

export async function devicesCommand(args: string[]): Promise<void> {
  const { values } = parse(args, { json: { type: 'boolean' } })
  for (const device of devices()) {
    if (values.json) console.log(jsonLine(device))
    else console.log(`${device.name}${device.available ? '' : ' (none)'}: ${device.description}`)
  }
}
