//! Stochastic gradient descent, with PyTorch's definition of momentum and weight decay:
//!
//! ```text
//!   g ← g + weight_decay · w        v ← momentum · v + g        w ← w - learning_rate · v
//! ```

use super::settings::{require_scale, require_share};
use super::{Encoded, Optimizer, Rule, Step};
use crate::error::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The settings of the optimiser.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sgd {
    /// Positive or zero.
    pub learning_rate: f32,
    /// 0 (none, and what JSON means that says nothing) to below 1.
    #[serde(default)]
    pub momentum: f32,
    /// Positive or zero, which is what JSON means that says nothing.
    #[serde(default)]
    pub weight_decay: f32,
}

impl Sgd {
    /// Plain descent.
    ///
    /// # Errors
    /// `InvalidArgument` for a learning rate that is negative or not finite.
    pub fn new(learning_rate: f32) -> Result<Self> {
        Self { learning_rate, momentum: 0.0, weight_decay: 0.0 }.validated()
    }

    /// Itself, if its settings make sense.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub fn validated(self) -> Result<Self> {
        require_scale("the learning rate", self.learning_rate)?;
        require_share("the momentum", self.momentum)?;
        require_scale("the weight decay", self.weight_decay)?;
        Ok(self)
    }

    /// The names of what it keeps for each parameter.
    pub(super) fn state(&self) -> &'static [&'static str] {
        if self.momentum > 0.0 { &Momentum::STATE } else { &Descent::STATE }
    }

    /// Any of its steps.
    pub(super) fn step(&self) -> Step {
        let &Self { learning_rate, momentum, weight_decay } = self;
        if momentum > 0.0 {
            Step::Momentum(Momentum { learning_rate, momentum, weight_decay })
        } else {
            Step::Descent(Descent { learning_rate, weight_decay })
        }
    }

    /// As `struct Descent` or `struct Momentum` of kernels/optimizers.cuh.
    pub(super) fn encode(&self) -> Encoded {
        let &Self { learning_rate, momentum, weight_decay } = self;
        if momentum > 0.0 {
            Encoded::new(1, [learning_rate, momentum, weight_decay])
        } else {
            Encoded::new(0, [learning_rate, weight_decay])
        }
    }

    /// A step in candle's words: a parameter after it. candle-nn's SGD has neither momentum nor weight decay.
    ///
    /// # Errors
    /// candle's.
    pub(super) fn reference(&self, w: &Tensor, g: &Tensor, state: &mut [Tensor]) -> candle_core::Result<Tensor> {
        let [learning_rate, momentum, weight_decay] =
            [self.learning_rate, self.momentum, self.weight_decay].map(f64::from);
        let mut change = if weight_decay > 0.0 { (g + (w * weight_decay)?)? } else { g.clone() };
        if let [velocity] = state {
            *velocity = ((&*velocity * momentum)? + change)?;
            change = velocity.clone();
        }
        w - (change * learning_rate)?
    }
}

impl From<Sgd> for Optimizer {
    fn from(sgd: Sgd) -> Self {
        Self::Sgd(sgd)
    }
}

/// A step without momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    learning_rate: f32,
    weight_decay: f32,
}

impl Rule<0> for Descent {
    const STATE: [&'static str; 0] = [];

    #[inline(always)]
    fn step(&self, w: f32, g: f32, _: &mut [f32; 0]) -> f32 {
        w - self.learning_rate * decayed(self.weight_decay, w, g)
    }
}

/// A step with momentum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Momentum {
    learning_rate: f32,
    momentum: f32,
    weight_decay: f32,
}

impl Rule<1> for Momentum {
    const STATE: [&'static str; 1] = ["velocity"];

    #[inline(always)]
    fn step(&self, w: f32, g: f32, [v]: &mut [f32; 1]) -> f32 {
        *v = self.momentum * *v + decayed(self.weight_decay, w, g);
        w - self.learning_rate * *v
    }
}

/// Without decay the gradient alone: 0 times a weight that is infinite is no number.
#[inline(always)]
fn decayed(weight_decay: f32, w: f32, g: f32) -> f32 {
    if weight_decay > 0.0 { weight_decay * w + g } else { g }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::optimizers::Planes;

    fn step(sgd: Sgd, w: &mut [f32], g: &[f32], v: &mut [f32]) {
        let mut planes = Planes::default();
        planes[0] = v;
        Optimizer::Sgd(sgd).at(1).apply(w, g, planes);
    }

    #[test]
    fn two_steps_by_hand() {
        let sgd = Sgd { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.25 };
        let (mut w, mut v) = ([2.0], [0.0]);
        step(sgd, &mut w, &[1.0], &mut v);
        assert_eq!((w, v), ([1.25], [1.5])); // g = 1 + 0.5, w = 2 - 0.75
        step(sgd, &mut w, &[1.0], &mut v);
        assert_eq!((w, v), ([0.21875], [2.0625])); // g = 1.3125, v = 0.75 + 1.3125
    }

    #[test]
    fn without_momentum_or_decay_there_is_none() {
        let plain = Sgd::new(0.5).unwrap();
        for (sgd, expected) in [
            (plain, (1.5, 7.0)), // velocity is left alone
            (Sgd { weight_decay: 0.25, ..plain }, (1.25, 7.0)),
            (Sgd { momentum: 0.5, ..plain }, (-0.25, 4.5)), // v = 3.5 + 1
            (Sgd { learning_rate: 0.0, momentum: 0.5, weight_decay: 0.25 }, (2.0, 5.0)),
        ] {
            let (mut w, mut v) = ([2.0], [7.0]);
            step(sgd, &mut w, &[1.0], &mut v);
            assert_eq!((w[0], v[0]), expected, "{sgd:?}");
        }
    }

    #[test]
    fn without_decay_a_weight_that_is_lost_pulls_at_nothing() {
        let mut w = [f32::INFINITY];
        step(Sgd::new(0.5).unwrap(), &mut w, &[1.0], &mut []);
        assert_eq!(w, [f32::INFINITY], "0 times infinity is no number");
    }

    #[test]
    fn two_steps_of_candle_by_hand() {
        let sgd = Sgd { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.25 };
        let tensor = |x: f64| Tensor::new(x, &candle_core::Device::Cpu).unwrap();
        let (mut w, mut state) = (tensor(2.0), [tensor(0.0)]);
        for expected in [[1.25, 1.5], [0.21875, 2.0625]] {
            w = sgd.reference(&w, &tensor(1.0), &mut state).unwrap();
            assert_eq!([&w, &state[0]].map(|t| t.to_scalar::<f64>().unwrap()), expected);
        }
        let lost = Sgd::new(0.5).unwrap().reference(&tensor(f64::INFINITY), &tensor(1.0), &mut []).unwrap();
        assert_eq!(lost.to_scalar::<f64>().unwrap(), f64::INFINITY, "0 times infinity is no number");
    }

    #[test]
    fn velocity_is_kept_with_momentum_only() {
        let plain = Sgd::new(0.5).unwrap();
        assert!(plain.state().is_empty());
        assert_eq!(Sgd { momentum: 0.5, ..plain }.state(), ["velocity"]);
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let plain = Sgd { learning_rate: 0.1, momentum: 0.0, weight_decay: 0.0 };
        for (sgd, named) in [
            (Sgd { learning_rate: f32::NAN, ..plain }, "learning rate is NaN"),
            (Sgd { learning_rate: -0.1, ..plain }, "learning rate is -0.1"),
            (Sgd { learning_rate: f32::INFINITY, ..plain }, "learning rate is inf"),
            (Sgd { momentum: 1.0, ..plain }, "momentum is 1; it must be at least 0 and below 1"),
            (Sgd { momentum: -0.5, ..plain }, "momentum is -0.5"),
            (Sgd { momentum: f32::NAN, ..plain }, "momentum is NaN"),
            (Sgd { weight_decay: f32::INFINITY, ..plain }, "weight decay is inf"),
            (Sgd { weight_decay: -1.0, ..plain }, "weight decay is -1"),
        ] {
            let error = sgd.validated().unwrap_err();
            assert!(error.code == Code::InvalidArgument && error.message.contains(named), "{error}");
        }
        assert!(Sgd::new(-1.0).is_err());
        let edges = Sgd { learning_rate: 0.0, momentum: 0.999_999, weight_decay: 1e30 };
        assert_eq!(edges.validated(), Ok(edges));
    }
}
