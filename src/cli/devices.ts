import { devices } from '../network/devices.js'
import { command } from './command.js'
import { jsonLine } from './json.js'
import { json } from './shared-options.js'

export const devicesCommand = command({
  help: 'what there is to run on',
  options: { json },
  async run({ json }) {
    for (const device of devices()) {
      if (json) console.log(jsonLine(device))
      else console.log(`${device.name}${device.available ? '' : ' (none)'}: ${device.description}`)
    }
  },
})
