import { callAddon, checkDevice, type DeviceReport, listDevices } from '../addon.js'
import { expectString } from '../expect.js'
import { defaultEngine, type EngineName, expectEngine } from './engines.js'

export type { DeviceReport }

/** `'cpu'`, an NVIDIA GPU (`'cuda:0'`, `'cuda:1'`, ...), or, for the engine `'candle'` alone, a Mac's GPU: `'metal'`. */
export type Device = 'cpu' | `cuda:${number}` | 'metal'

/** The processor and every other kind of device that an engine knows, with the reason where it cannot be used. */
export function devices(engine: EngineName = defaultEngine): DeviceReport[] {
  const name = expectEngine(engine)
  return callAddon(() => listDevices(name))
}

/** The first GPU that an engine can run on, if there is one; else the CPU. */
export function tryGpu(engine: EngineName = defaultEngine): Device {
  return firstGpu(devices(engine))
}

/** As {@link tryGpu}, of these devices. */
export function firstGpu(found: readonly Pick<DeviceReport, 'name' | 'available'>[]): Device {
  const gpu = found.find(({ name, available }) => /^cuda:|^metal$/.test(name) && available)
  return gpu ? (gpu.name as Device) : 'cpu'
}

/**
 * A device that there is for an engine, whatever becomes of it before it is used.
 * @internal
 */
export function expectDevice(value: unknown, engine: EngineName): Device {
  const name = expectString('device', value)
  callAddon(() => checkDevice(name, engine))
  return name as Device
}
