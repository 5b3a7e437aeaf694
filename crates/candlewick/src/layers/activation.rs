//! A function of each value: y = f(x), and dx = dy f'(x).

use super::plan::{Arithmetic, Describe, Plan};
use super::{DeviceOperation, LaneOperation, Needs, Reference, Seen};
use crate::activations::{Activation, Function, LeakyRelu, SETTINGS, with_function};
use crate::error::Result;
use crate::kernels::number;
use crate::simd::{Lane, Lanes};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// A function on its own, as its user writes it. Layers that have an `activation` end in one anyway.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActivationLayer {
    /// f
    pub activation: Activation,
}

impl ActivationLayer {
    /// One that max pooling may pass, and one with a setting.
    pub(super) fn examples() -> impl Iterator<Item = Self> {
        [Activation::Relu, Activation::LeakyRelu(LeakyRelu { negative_slope: 0.25 })]
            .into_iter()
            .map(|activation| Self { activation })
    }
}

impl Describe for ActivationLayer {
    fn prefix(&self) -> &'static str {
        "activation"
    }

    fn plan(&self, _: &str, input: &[usize]) -> Result<Plan> {
        Ok(Plan {
            output: input.to_vec(),
            parameters: Vec::new(),
            arithmetic: Arithmetic::Nothing,
            activation: Some(self.activation),
        })
    }
}

/// A function in its place. x and y are of one length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// f
    pub function: Activation,
}

impl LaneOperation for Placed {
    fn needs(&self) -> Needs {
        Needs { output: true, again: true, ..Needs::default() }
    }

    fn forward<L: Lanes>(
        &self,
        l: L,
        _: &[L::Real],
        x: &[Lane<L::Real>],
        y: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        with_function!(self.function, function => l.run(
            #[inline(always)]
            || values(l, function, x, y),
        ));
    }

    fn input_gradient<L: Lanes>(
        &self,
        l: L,
        _: &[L::Real],
        seen: Seen<'_, L::Real>,
        dx: &mut [Lane<L::Real>],
        _: &mut [Lane<L::Real>],
    ) {
        with_function!(self.function, function => l.run(
            #[inline(always)]
            || slopes(l, function, seen, dx),
        ));
    }
}

/// `struct Activation`
impl DeviceOperation for Placed {
    const KIND: i32 = 4;
    type Words = [i32; 2 + SETTINGS];

    fn words(&self, outputs: usize) -> Result<Self::Words> {
        let (function, settings) = self.function.on_device();
        let [a, b] = settings.map(|setting| setting.to_bits() as i32);
        Ok([function, number(outputs)?, a, b])
    }
}

#[inline(always)]
fn values<L: Lanes>(l: L, function: impl Function, x: &[Lane<L::Real>], y: &mut [Lane<L::Real>]) {
    for (x, y) in x.iter().zip(y) {
        l.store(function.value(l, l.load(x)), y);
    }
}

#[inline(always)]
fn slopes<L: Lanes>(l: L, function: impl Function, seen: Seen<'_, L::Real>, dx: &mut [Lane<L::Real>]) {
    for (((x, y), dy), dx) in seen.x.iter().zip(seen.y).zip(seen.dy).zip(dx) {
        l.store(l.mul(l.load(dy), function.slope(l, l.load(x), l.load(y))), dx);
    }
}

impl Reference for Placed {
    fn reference(&self, x: &Tensor, _: &[Tensor]) -> candle_core::Result<Tensor> {
        self.function.reference(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::finite_differences::check_operation;

    #[test]
    fn gradients_agree_with_finite_differences() {
        for &function in Activation::EXAMPLES {
            check_operation(&format!("{function:?}"), &Placed { function }, 7, 0, 7);
        }
    }
}
