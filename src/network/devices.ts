import { callAddon, checkDevice, type DeviceReport, listDevices } from '../addon.js'
import { expectString } from '../expect.js'

export type { DeviceReport }

/** `'cpu'`, or an NVIDIA GPU: `'cuda:0'`, `'cuda:1'`, ... */
export type Device = 'cpu' | `cuda:${number}`

/** The processor and every other kind of device that candlewick knows, with the reason where it cannot be used. */
export function devices(): DeviceReport[] {
  return callAddon(listDevices)
}

/** The first GPU, if there is one; else the CPU. */
export function tryGpu(): Device {
  return firstGpu(devices())
}

/** As {@link tryGpu}, of these devices. */
export function firstGpu(found: readonly Pick<DeviceReport, 'name' | 'available'>[]): Device {
  const gpu = found.find(({ name, available }) => name.startsWith('cuda:') && available)
  return gpu ? (gpu.name as Device) : 'cpu'
}

/**
 * A device that there is, whatever becomes of it before it is used.
 * @internal
 */
export function expectDevice(value: unknown): Device {
  const name = expectString('device', value)
  callAddon(() => checkDevice(name))
  return name as Device
}
