//! x Φ(x), where Φ(x) is the share of a standard normal distribution that is below x

use super::{Function, sigmoid};
use crate::simd::{Lanes, Real};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// [`super::Activation::Gelu`]. Hendrycks and Gimpel, 2016.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Gelu {
    /// As it is, by default, as in PyTorch.
    pub approximate: Approximate,
}

/// What [`Gelu`] is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Approximate {
    /// Φ(x) = (1 + erf(x / √2)) / 2
    #[default]
    None,
    /// (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 in its place: off by 2e-4 at most, and quicker.
    Tanh,
}

/// The approximation is x sigmoid(2 √(2/π) (x + 0.044715 x³)): the same as with tanh, and nothing cancels.
const LINEAR: f64 = 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
const CUBIC: f64 = LINEAR * 0.044715;

/// Beyond it, the approximation's sigmoid is 0 or 1, and no cube should overflow.
const END: f64 = 11.0;

impl Function for Gelu {
    const NUMBER: i32 = 6;

    fn settings(&self) -> [f32; super::SETTINGS] {
        match self.approximate {
            Approximate::None => [0.0, 0.0],
            Approximate::Tanh => [1.0, 0.0],
        }
    }

    /// It falls to -0.17 at x = -0.75, and rises from there.
    fn never_decreases(&self) -> bool {
        false
    }

    /// Of -∞, NaN, as in PyTorch.
    #[inline(always)]
    fn value<L: Lanes>(&self, l: L, x: L::Vector) -> L::Vector {
        let gate = match self.approximate {
            Approximate::None => l.normal_cdf(x),
            Approximate::Tanh => approximation(l, x)[0],
        };
        l.mul(x, gate)
    }

    #[inline(always)]
    fn slope<L: Lanes>(&self, l: L, x: L::Vector, _: L::Vector) -> L::Vector {
        match self.approximate {
            Approximate::None => l.mul_add(x, density(l, x), l.normal_cdf(x)),
            Approximate::Tanh => {
                let [gate, slope] = approximation(l, x);
                l.mul_add(x, slope, gate)
            }
        }
    }

    /// candle's own functions of this name go back with six digits.
    fn reference(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let gate = match self.approximate {
            Approximate::None => (x * FRAC_1_SQRT_2)?.erf()?,
            Approximate::Tanh => ((x * (LINEAR / 2.0))? + (x * (x.sqr()? * (CUBIC / 2.0))?)?)?.tanh()?,
        };
        x * ((gate + 1.0)? * 0.5)?
    }
}

/// φ(x) = e^(-x²/2) / √(2π), the slope of Φ; 0 where `exp` goes no further, so that x φ(x) is small for large x.
#[inline(always)]
fn density<L: Lanes>(l: L, x: L::Vector) -> L::Vector {
    let constant = |c: f64| l.splat(L::Real::from_f64(c));
    let square = l.mul(x, x);
    let bell = l.mul(constant(FRAC_2_SQRT_PI * FRAC_1_SQRT_2 / 2.0), l.exp(l.mul(square, constant(-0.5))));
    l.where_gt(square, constant(174.0), constant(0.0), bell)
}

/// The approximation of Φ, and its slope: s(u) and s(u) (1 - s(u)) u', where s is the sigmoid and u the polynomial of x.
#[inline(always)]
fn approximation<L: Lanes>(l: L, x: L::Vector) -> [L::Vector; 2] {
    let constant = |c: f64| l.splat(L::Real::from_f64(c));
    let x = l.where_gt(x, constant(END), constant(END), x);
    let x = l.where_gt(constant(-END), x, constant(-END), x);
    let square = l.mul(x, x);
    let [s, rest] = sigmoid::both_sides(l, l.mul(x, l.mul_add(square, constant(CUBIC), constant(LINEAR))));
    let polynomial_s = l.mul_add(square, constant(3.0 * CUBIC), constant(LINEAR));
    [s, l.mul(l.mul(s, rest), polynomial_s)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activations::Activation;

    #[test]
    fn it_is_exact_unless_told_otherwise() {
        for (text, approximate) in [
            (r#""gelu""#, Approximate::None),
            (r#"{ "kind": "gelu", "approximate": "none" }"#, Approximate::None),
            (r#"{ "kind": "gelu", "approximate": "tanh" }"#, Approximate::Tanh),
        ] {
            assert_eq!(serde_json::from_str::<Activation>(text).unwrap(), Activation::Gelu(Gelu { approximate }));
        }
        let error = serde_json::from_str::<Activation>(r#"{ "kind": "gelu", "approximate": "erf" }"#).unwrap_err();
        assert!(error.to_string().contains("unknown variant `erf`, expected `none` or `tanh`"), "{error}");
    }
}
