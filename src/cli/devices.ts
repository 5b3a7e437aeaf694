import { jsonLine } from '../json.js'
import { devices } from '../network/devices.js'
import { command } from './command.js'
import { engine, json } from './shared-options.js'

export const devicesCommand = command({
  help: 'what there is to run on',
  options: { engine, json },
  async run({ engine, json }) {
    for (const device of devices(engine)) {
      if (json) console.log(jsonLine(device))
      else console.log(`${device.name}${device.available ? '' : ' (none)'}: ${device.description}`)
    }
  },
})
