import { type Checks, expectFloat32, expectOneOf, expectSettings, readOnce, unexpected } from '../expect.js'

/** How weights are drawn, from one of the functions below or made by hand. Biases start at zero unless their layer says otherwise. */
export type Initializer = Xavier | He | Orthogonal | Scaled | Constant | Zeros

/** Options of {@link xavier}. */
export interface XavierOptions {
  /** Uniform in ±scale (the default), or normal with this deviation. */
  distribution?: 'uniform' | 'gaussian'
  /** What the scale goes by: the mean of fan in and fan out (the default), or one of them. */
  factor?: 'avg' | 'in' | 'out'
  /** At least 0; 3 by default. */
  magnitude?: number
}

/** Options of {@link orthogonal}. */
export interface OrthogonalOptions {
  /** At least 0; 1 by default. */
  gain?: number
}

/** Options of {@link constant}. */
export interface ConstantOptions {
  /** 0 by default. */
  value?: number
}

/** What {@link xavier} makes. */
export interface Xavier extends Readonly<XavierOptions> {
  /** Its name in JSON. */
  readonly kind: 'xavier'
}

/** What {@link heNormal} and {@link heUniform} make. */
export interface He {
  /** Its name in JSON. */
  readonly kind: 'heNormal' | 'heUniform'
}

/** What {@link orthogonal} makes. */
export interface Orthogonal extends Readonly<OrthogonalOptions> {
  /** Its name in JSON. */
  readonly kind: 'orthogonal'
}

/** What {@link uniform} and {@link normal} make. */
export interface Scaled {
  /** Its name in JSON. */
  readonly kind: 'uniform' | 'normal'
  /** The bound of a uniform distribution, or the deviation of a normal one. */
  readonly scale?: number
}

/** What {@link constant} makes. */
export interface Constant extends Readonly<ConstantOptions> {
  /** Its name in JSON. */
  readonly kind: 'constant'
}

/** What {@link zeros} makes. */
export interface Zeros {
  /** Its name in JSON. */
  readonly kind: 'zeros'
}

const belowSigma = 1e37 // what is drawn may be thirteen times as far from 0, and float32 ends at 3.4e38
const endOfFloat32 = 3.4028234663852886e38

/** Gluon's: scale √(magnitude / factor); as it is, uniform in ±√(6 / (fan in + fan out)). A fan is channels times kernel area. */
export function xavier(options: XavierOptions = {}): Required<Xavier> {
  return { kind: 'xavier', ...expectSettings('xavier', options, xavierSettings) }
}

const xavierSettings: Checks<XavierOptions> = {
  distribution: (value = 'uniform') => expectOneOf('distribution', ['uniform', 'gaussian'], value),
  factor: (value = 'avg') => expectOneOf('factor', ['avg', 'in', 'out'], value),
  magnitude: (value = 3) => expectFloat32('magnitude', value, 0),
}

/** Normal around 0 with deviation √(2 / fan in), for layers that end in ReLU: PyTorch's kaiming_normal_. */
export function heNormal(): He {
  return { kind: 'heNormal' }
}

/** Uniform in ±√(6 / fan in), for layers that end in ReLU: PyTorch's kaiming_uniform_. */
export function heUniform(): He {
  return { kind: 'heUniform' }
}

/** Rows at right angles (columns, where there are more rows than columns), each of length gain: PyTorch's orthogonal_. */
export function orthogonal(options: OrthogonalOptions = {}): Required<Orthogonal> {
  return { kind: 'orthogonal', ...expectSettings('orthogonal', options, orthogonalSettings) }
}

const orthogonalSettings: Checks<OrthogonalOptions> = {
  gain: (value = 1) => expectFloat32('gain', value, 0),
}

/** Uniform in ±scale. */
export function uniform(scale = 0.07): Required<Scaled> {
  return { kind: 'uniform', scale: uniformSettings.scale(scale) }
}

const uniformSettings: Checks<{ scale: number }> = {
  scale: (value = 0.07) => expectFloat32('scale', value, 0),
}

/** Normal around 0 with standard deviation sigma. */
export function normal(sigma = 0.01): Required<Scaled> {
  return { kind: 'normal', scale: normalSettings.scale(sigma) }
}

const normalSettings: Checks<{ scale: number }> = {
  scale: (value = 0.01) => expectFloat32('sigma', value, 0, belowSigma),
}

/** The same value everywhere. */
export function constant(options: ConstantOptions = {}): Required<Constant> {
  return { kind: 'constant', ...expectSettings('constant', options, constantSettings) }
}

const constantSettings: Checks<ConstantOptions> = {
  value: (value = 0) => expectFloat32('value', value, -endOfFloat32),
}

/** Zero. */
export function zeros(): Zeros {
  return { kind: 'zeros' }
}

/** The settings of each kind; the compiler sees that none is missing. */
const initializers: Readonly<Record<Initializer['kind'], Checks<object>>> = {
  xavier: xavierSettings,
  heNormal: {},
  heUniform: {},
  orthogonal: orthogonalSettings,
  uniform: uniformSettings,
  normal: normalSettings,
  constant: constantSettings,
  zeros: {},
}

/**
 * An initializer as it is now, checked as its function checks it, that may not come from the functions above.
 * The default export, as src/index.ts passes on all names of this file.
 * @internal
 */
export default function checkInitializer(given: unknown, name = 'init'): Initializer {
  const { kind } = readOnce<{ kind: string }>(name, given, { kind: true })
  if (typeof kind !== 'string' || !Object.hasOwn(initializers, kind)) {
    throw unexpected(name, 'an initializer, such as xavier(),', given)
  }
  const settings = initializers[kind as Initializer['kind']]
  return expectSettings(kind, given, { kind: () => kind, ...settings }) as Initializer
}
