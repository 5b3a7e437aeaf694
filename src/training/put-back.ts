import type { Parameter } from '../network/parameters.js'
import type { Sequential } from '../network/sequential.js'

interface Settable {
  setParameters(parameters: Record<string, Parameter>): Promise<void>
}

/** Gives a network the parameters that `net.parameters()` gave before. */
export async function putBack(net: Sequential, parameters: Record<string, Parameter>): Promise<void> {
  await (net as unknown as Settable).setParameters(parameters)
}
