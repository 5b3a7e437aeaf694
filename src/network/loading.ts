import { callAddonAsync, type Engine } from '../addon.js'
import { expectBoolean, expectOptions, expectString, type Keys, reading, unexpected } from '../expect.js'
import { warnOnce } from '../warnings.js'

/** Options of {@link Sequential.loadParameters}. */
export interface LoadOptions {
  /**
   * Patterns of the parameters to load, of which a name needs to fit one: `*` stands for any letters, `?` for one. `'conv*'` are
   * those of the convolutions. All by default.
   */
  only?: string | readonly string[]
  /** Take what belongs to the network from a file that holds more. */
  ignoreExtra?: boolean
  /** Leave parameters as they are whose tensors are missing or have another shape, as with a new head. */
  ignoreMismatch?: boolean
}

/** What became of a network's parameters, by name, in the order of the layers. */
export interface LoadedParameters {
  /** Those that the file's values replaced. */
  loaded: string[]
  /** Those that stayed as they were. */
  left: string[]
}

/** Which parameters are loaded, as the engine is told. */
export interface Selection {
  only: string[]
  ignoreExtra: boolean
  ignoreMismatch: boolean
}

const keys: Keys<LoadOptions> = { only: true, ignoreExtra: true, ignoreMismatch: true }

/** What `loadParameters` was given, as it is now. */
export function checkSelection(options: LoadOptions): Selection {
  const given = expectOptions<LoadOptions>('loadParameters', options, keys)
  const { ignoreExtra = false, ignoreMismatch = false } = given
  return {
    only: given.only === undefined ? [] : expectPatterns(given.only),
    ignoreExtra: expectBoolean('ignoreExtra', ignoreExtra),
    ignoreMismatch: expectBoolean('ignoreMismatch', ignoreMismatch),
  }
}

/** Also what images go through from here on, as the engine writes it. */
export async function load(
  engine: Engine,
  path: string,
  selection: Selection,
): Promise<LoadedParameters & { normalization: string | undefined }> {
  const { loaded, left, normalization, differs } = await callAddonAsync(() => engine.loadParameters(path, selection))
  if (differs) {
    warnOnce(
      'CANDLEWICK_NORMALIZATION',
      `The parameters of ${path} are of a network without a normalization, but this one keeps its own, ${normalization}; ` +
        'leave normalize out of initialize, unless those were trained on images that were normalized alike beforehand.',
    )
  }
  return { loaded, left, normalization }
}

function expectPatterns(value: unknown): string[] {
  if (typeof value === 'string') return [expectString('only', value)]
  return reading('only', () => {
    if (Array.isArray(value) && value.length > 0) {
      return Array.from(value, (pattern, i) => expectString(`only[${i}]`, pattern))
    }
    throw unexpected('only', 'a pattern of names, such as "conv*", or an array of patterns', value)
  })
}
