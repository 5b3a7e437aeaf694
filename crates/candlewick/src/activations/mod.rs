//! Functions of one number, which a layer applies to each value of its output. A function is one file of this folder: its value,
//! its slope and what candle makes of it. Beyond that file, it is a line in each list here, one in `kernels/activations.cuh`,
//! and an entry in TypeScript.
//!
//! ```
//! use candlewick::activations::Activation;
//! use candlewick::layers::{LaneOperation, activation::Placed};
//! use candlewick::simd::{Float64, Lane};
//!
//! let mut y = [Lane::zero()];
//! let sigmoid = Placed { function: Activation::Sigmoid };
//! sigmoid.forward(Float64, &[], &[Lane::splat(0.0)], &mut y, &mut []);
//! assert_eq!(y, [Lane::splat(0.5)]);
//! ```

mod elu;
mod gelu;
mod hard_swish;
mod json;
mod leaky_relu;
mod relu;
mod sigmoid;
mod silu;
mod softplus;
mod tanh;

pub use elu::Elu;
pub use gelu::{Approximate, Gelu};
pub(crate) use hard_swish::HardSwish;
pub use leaky_relu::LeakyRelu;
pub(crate) use relu::Relu;
pub(crate) use sigmoid::Sigmoid;
pub(crate) use silu::Silu;
pub use softplus::Softplus;
pub(crate) use tanh::Tanh;

use crate::error::Result;
use crate::simd::Lanes;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The list of functions. As JSON, `"relu"`; one that has settings, `{ "kind": ..., ... }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub enum Activation {
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// max(x, 0)
    Relu,
    /// (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)
    Tanh,
    /// x, or where it is negative, `negative_slope` · x
    LeakyRelu(LeakyRelu),
    /// x, or where it is negative, `alpha` · (eˣ - 1)
    Elu(Elu),
    /// x / (1 + e⁻ˣ)
    Silu,
    /// x Φ(x), with the standard normal distribution's Φ; or an approximation of it
    Gelu(Gelu),
    /// ln(1 + e^(`beta` x)) / `beta`
    Softplus(Softplus),
    /// x · min(max(x + 3, 0), 6) / 6
    HardSwish,
}

/// Does the same with whichever function it is.
macro_rules! with_function {
    ($activation:expr, $function:ident => $work:expr) => {
        match $activation {
            $crate::activations::Activation::Sigmoid => {
                let $function = $crate::activations::Sigmoid;
                $work
            }
            $crate::activations::Activation::Relu => {
                let $function = $crate::activations::Relu;
                $work
            }
            $crate::activations::Activation::Tanh => {
                let $function = $crate::activations::Tanh;
                $work
            }
            $crate::activations::Activation::LeakyRelu($function) => $work,
            $crate::activations::Activation::Elu($function) => $work,
            $crate::activations::Activation::Silu => {
                let $function = $crate::activations::Silu;
                $work
            }
            $crate::activations::Activation::Gelu($function) => $work,
            $crate::activations::Activation::Softplus($function) => $work,
            $crate::activations::Activation::HardSwish => {
                let $function = $crate::activations::HardSwish;
                $work
            }
        }
    };
}
pub(crate) use with_function;

impl Activation {
    /// Each of them, some with several settings, which tests take in turn.
    pub const EXAMPLES: &[Self] = &[
        Self::Sigmoid,
        Self::Relu,
        Self::Tanh,
        Self::LeakyRelu(LeakyRelu { negative_slope: 0.2 }),
        Self::LeakyRelu(LeakyRelu { negative_slope: -0.5 }),
        Self::Elu(Elu { alpha: 1.0 }),
        Self::Elu(Elu { alpha: -0.5 }),
        Self::Silu,
        Self::Gelu(Gelu { approximate: Approximate::None }),
        Self::Gelu(Gelu { approximate: Approximate::Tanh }),
        Self::Softplus(Softplus { beta: 1.0, threshold: 20.0 }),
        Self::Softplus(Softplus { beta: 2.0, threshold: 1.5 }),
        Self::HardSwish,
    ];

    /// Whether its settings make sense, as the activation of the layer of this name.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub(crate) fn check(self, layer: &str) -> Result<()> {
        with_function!(self, function => function.check(layer))
    }

    /// Whether f(a) ≤ f(b) for all a ≤ b. Then the largest of some values has the largest f, and max pooling may come first.
    pub fn never_decreases(self) -> bool {
        with_function!(self, function => function.never_decreases())
    }

    /// Its number among the kernels', and its settings.
    pub(crate) fn on_device(self) -> (i32, [f32; SETTINGS]) {
        fn told<F: Function>(function: F) -> (i32, [f32; SETTINGS]) {
            (F::NUMBER, function.settings())
        }
        with_function!(self, function => told(function))
    }

    /// What candle makes of it.
    ///
    /// # Errors
    /// candle's.
    pub(crate) fn reference(self, x: &Tensor) -> candle_core::Result<Tensor> {
        with_function!(self, function => function.reference(x))
    }
}

/// Settings of a function that there is room for: `settings` of `struct Activation` in kernels/activation.cuh.
pub(crate) const SETTINGS: usize = 2;

/// What a function is to the engines.
pub(crate) trait Function: Copy {
    /// Its number in `enum class Function` of kernels/activations.cuh, counted from 0.
    const NUMBER: i32;

    /// The fields of its struct there, in front.
    fn settings(&self) -> [f32; SETTINGS] {
        [0.0; SETTINGS]
    }

    /// Whether the settings make sense; there are none, unless it says otherwise.
    ///
    /// # Errors
    /// `InvalidArgument` names the layer and the setting that does not.
    fn check(&self, _layer: &str) -> Result<()> {
        Ok(())
    }

    /// Whether f(a) ≤ f(b) for all a ≤ b.
    fn never_decreases(&self) -> bool;

    /// f(x)
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector;

    /// f'(x), where y = f(x); most look at one of the two alone.
    fn slope<L: Lanes>(&self, l: L, x: L::Vector, y: L::Vector) -> L::Vector;

    /// f(x) as candle computes it, with a gradient.
    ///
    /// # Errors
    /// candle's.
    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{InstructionSet, Kernel, LANES, Lane};
    use candle_core::{Device, Var};

    /// f(x) and f'(x)
    struct Value(Activation, [f32; LANES]);

    impl Kernel for Value {
        type Output = [[f32; LANES]; 2];
        fn run<L: Lanes<Real = f32>>(self, l: L) -> [[f32; LANES]; 2] {
            with_function!(self.0, function => of(function, l, self.1))
        }
    }

    /// Of one function at a time: all of them in one, for sixteen scalars each, would take the compiler minutes.
    #[inline(never)]
    fn of<L: Lanes<Real = f32>>(function: impl Function, l: L, x: [f32; LANES]) -> [[f32; LANES]; 2] {
        let x = l.load(&Lane(x));
        let [mut value, mut slope] = [Lane::zero(); 2];
        let y = function.value(l, x);
        l.store(y, &mut value);
        l.store(function.slope(l, x, y), &mut slope);
        [value.0, slope.0]
    }

    fn with_lanes(activation: Activation, x: [f32; LANES]) -> [[f32; LANES]; 2] {
        InstructionSet::chosen().unwrap().run(Value(activation, x))
    }

    /// f(x) and f'(x) in float64, by the standard library and candle's gradients.
    fn with_candle(activation: Activation, x: [f32; LANES]) -> [Vec<f64>; 2] {
        let x = Var::new(&x.map(f64::from), &Device::Cpu).unwrap();
        let y = activation.reference(&x).unwrap();
        let gradients = y.backward().unwrap();
        [&y, gradients.get(&x).unwrap()].map(|tensor| tensor.to_vec1().unwrap())
    }

    #[test]
    fn float32_agrees_with_candle() {
        let points: Vec<f32> = (-3200..3200).map(|i| i as f32 / 200.0 + 0.001).collect();
        for &activation in Activation::EXAMPLES {
            for x in points.as_chunks::<LANES>().0 {
                let [values, slopes] = with_lanes(activation, *x);
                let [expected, expected_slopes] = with_candle(activation, *x);
                for i in 0..LANES {
                    let (x, y, expected) = (x[i], values[i], expected[i]);
                    // tanh's 1 - 2 / (e²ˣ + 1) loses three bits at 0.1; of 1 + erf(-8), candle has nothing left.
                    let error = (f64::from(y) - expected).abs() - 1e-12;
                    assert!(error <= 2e-6 * expected.abs(), "{activation:?}({x}) = {y}, expected {expected}");
                    let (slope, expected) = (slopes[i], expected_slopes[i]);
                    let error = (f64::from(slope) - expected).abs();
                    assert!(error <= 6e-7, "{activation:?}'({x}) = {slope}, expected {expected}");
                }
            }
        }
    }

    #[test]
    fn large_numbers_agree_with_candle() {
        const LARGE: [f32; 8] = [90.0, -90.0, 1e4, -1e4, 1e20, -1e20, 1e38, -1e38];
        let x = std::array::from_fn(|i| LARGE[i % 8]);
        for &activation in Activation::EXAMPLES {
            for (found, expected) in with_lanes(activation, x).into_iter().zip(with_candle(activation, x)) {
                for ((found, expected), x) in found.into_iter().zip(expected).zip(x) {
                    let error = (f64::from(found) - expected).abs();
                    assert!(error <= 1e-37 + 1e-7 * expected.abs(), "{activation:?} of {x}: {found}, not {expected}");
                }
            }
        }
    }

    /// As PyTorch has them.
    #[test]
    fn infinities_pass_or_end() {
        const END: f32 = f32::INFINITY;
        for &activation in Activation::EXAMPLES {
            let expected = match activation {
                Activation::Sigmoid => [0.0, 1.0],
                Activation::Relu | Activation::Softplus(_) => [0.0, END],
                Activation::Tanh => [-1.0, 1.0],
                Activation::LeakyRelu(LeakyRelu { negative_slope }) => [-END * negative_slope, END],
                Activation::Elu(Elu { alpha }) => [-alpha, END],
                Activation::Silu | Activation::Gelu(_) | Activation::HardSwish => [f32::NAN, END],
            };
            let [y, _] = with_lanes(activation, std::array::from_fn(|i| [-END, END][i % 2]));
            for (y, expected) in y.into_iter().zip(expected) {
                let is_near = (y - expected).abs() <= 1e-37 || y == expected || (y.is_nan() && expected.is_nan());
                assert!(is_near, "{activation:?}: {y}, not {expected}");
            }
        }
    }

    /// Who says too little makes max pooling wait, which takes longer; tests/activations.rs holds all instruction sets to it.
    #[test]
    fn functions_say_whether_they_decrease() {
        let points: Vec<f64> = (-3200..=3200).map(|i| f64::from(i) / 200.0).collect();
        let points = Tensor::new(points, &Device::Cpu).unwrap();
        for activation in Activation::EXAMPLES {
            let values: Vec<f64> = activation.reference(&points).unwrap().to_vec1().unwrap();
            assert_eq!(activation.never_decreases(), values.is_sorted(), "{activation:?}");
        }
    }

    #[test]
    fn not_a_number_passes() {
        for &activation in Activation::EXAMPLES {
            for set in InstructionSet::available() {
                let [y, _] = set.run(Value(activation, [f32::NAN; LANES]));
                assert!(y.iter().all(|y| y.is_nan()), "{activation:?} on {}", set.name());
            }
        }
    }

    #[test]
    fn json_there_and_back_is_the_same() {
        for function in Activation::EXAMPLES {
            let text = serde_json::to_string(function).unwrap();
            assert_eq!(serde_json::from_str::<Activation>(&text).unwrap(), *function, "{text}");
        }
        let by_kind: Activation = serde_json::from_str(r#"{ "kind": "relu" }"#).unwrap();
        assert_eq!(by_kind, Activation::Relu);
        for (text, named) in [
            (r#"{ "kind": "relu", "slope": 1 }"#, "expected unit"),
            (r#"{ "kind": "leakyRelu", "slope": 1 }"#, "unknown field `slope`"),
            (r#"{ "relu": null }"#, "missing field `kind`"),
            (r#"{ "leakyRelu": { "negativeSlope": 0.2 } }"#, "missing field `kind`"),
            (r#"{ "kind": { "leakyRelu": {} } }"#, "missing field `kind`"),
            (r#"{ "kind": "mish" }"#, "unknown variant `mish`"),
        ] {
            let error = serde_json::from_str::<Activation>(text).unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    /// serde names all kinds when it is given another.
    #[test]
    fn each_kind_has_an_example() {
        let error = serde_json::from_str::<Activation>("\"\"").unwrap_err().to_string();
        let kinds: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        assert!(kinds.contains(&"sigmoid") && kinds.contains(&"tanh"), "{error}");
        let examples: Vec<_> = Activation::EXAMPLES.iter().map(|f| serde_json::to_value(f).unwrap()).collect();
        for kind in kinds {
            assert!(examples.iter().any(|f| *f == kind || f["kind"] == kind), "{kind} has no example");
        }
    }
}
