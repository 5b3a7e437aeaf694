//! Stochastic gradient descent, with PyTorch's definition of momentum, Nesterov's too, and weight decay:
//!
//! ```text
//!   g ← g + weight_decay · w        v ← momentum · v + g        w ← w - learning_rate · v
//!                                                     Nesterov: w ← w - learning_rate · (g + momentum · v)
//! ```

use super::settings::{require_scale, require_share};
use super::{Encoded, Motion, Optimizer, Rate, Rule, decayed};
use crate::error::{Code, Error, Result};
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
    /// Whether a step looks ahead along the velocity, which then there must be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nesterov: bool,
    /// Positive or zero, which is what JSON means that says nothing.
    #[serde(default)]
    pub weight_decay: f32,
}

impl Sgd {
    /// Without momentum and weight decay, and at rest: what a literal leaves out.
    pub const PLAIN: Self = Self { learning_rate: 0.0, momentum: 0.0, nesterov: false, weight_decay: 0.0 };

    /// Plain descent.
    ///
    /// # Errors
    /// `InvalidArgument` for a learning rate that is negative or not finite.
    pub fn new(learning_rate: f32) -> Result<Self> {
        let sgd = Self { learning_rate, ..Self::PLAIN };
        sgd.check(false).map(|()| sgd)
    }

    /// Whether its settings make sense, for steps whose rates bring momentum or don't.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub(super) fn check(&self, cycles_momentum: bool) -> Result<()> {
        require_scale("the learning rate", self.learning_rate)?;
        require_share("the momentum", self.momentum)?;
        require_scale("the weight decay", self.weight_decay)?;
        if self.nesterov && !self.has_velocity(cycles_momentum) {
            let message = "nesterov looks ahead along a velocity, but the momentum is 0; it must be above 0";
            return Err(Error::new(Code::InvalidArgument, message));
        }
        Ok(())
    }

    fn has_velocity(&self, cycles_momentum: bool) -> bool {
        self.momentum > 0.0 || cycles_momentum
    }

    /// The names of what it keeps for each parameter.
    pub(super) fn state(&self, cycles_momentum: bool) -> &'static [&'static str] {
        if self.has_velocity(cycles_momentum) { &Momentum::STATE } else { &Descent::STATE }
    }

    /// Any of its steps, on parameters that decay or don't.
    pub(super) fn motion(&self, Rate { learning_rate, momentum: cycled }: Rate, decays: bool) -> Motion {
        let weight_decay = if decays { self.weight_decay } else { 0.0 };
        let momentum = cycled.map_or(self.momentum, |momentum| momentum as f32);
        match (self.has_velocity(cycled.is_some()), self.nesterov) {
            (false, _) => Motion::Descent(Descent { learning_rate, weight_decay }),
            (true, false) => Motion::Momentum(Momentum { learning_rate, momentum, weight_decay }),
            (true, true) => Motion::Nesterov(Nesterov { learning_rate, momentum, weight_decay }),
        }
    }

    /// As `struct Descent`, `Momentum` or `Nesterov` of kernels/optimizers.cuh.
    pub(super) fn encode(&self, cycles_momentum: bool) -> Encoded {
        let &Self { learning_rate, momentum, nesterov, weight_decay } = self;
        match (self.has_velocity(cycles_momentum), nesterov) {
            (false, _) => Encoded::new(0, [learning_rate, weight_decay]),
            (true, false) => Encoded::new(1, [learning_rate, momentum, weight_decay]),
            (true, true) => Encoded::new(2, [learning_rate, momentum, weight_decay]),
        }
    }

    /// A step in candle's words: a parameter after it. candle-nn's SGD has neither momentum nor weight decay.
    ///
    /// # Errors
    /// candle's.
    pub(super) fn reference(
        &self,
        rate: Rate,
        decays: bool,
        w: &Tensor,
        g: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let (learning_rate, weight_decay) = (f64::from(rate.learning_rate), f64::from(self.weight_decay));
        let momentum = rate.momentum.unwrap_or(self.momentum.into());
        let g = if decays && weight_decay > 0.0 { (g + (w * weight_decay)?)? } else { g.clone() };
        let mut change = g.clone();
        if let [velocity] = state {
            *velocity = ((&*velocity * momentum)? + change)?;
            change = if self.nesterov { (g + (&*velocity * momentum)?)? } else { velocity.clone() };
        }
        w - (change * learning_rate)?
    }
}

impl From<Sgd> for Optimizer {
    fn from(sgd: Sgd) -> Self {
        super::Method::Sgd(sgd).into()
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

/// A step with momentum that looks ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nesterov {
    learning_rate: f32,
    momentum: f32,
    weight_decay: f32,
}

impl Rule<1> for Nesterov {
    const STATE: [&'static str; 1] = Momentum::STATE;

    #[inline(always)]
    fn step(&self, w: f32, g: f32, [v]: &mut [f32; 1]) -> f32 {
        let g = decayed(self.weight_decay, w, g);
        *v = self.momentum * *v + g;
        w - self.learning_rate * (g + self.momentum * *v)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::optimizers::Planes;

    fn step(sgd: Sgd, w: &mut [f32], g: &[f32], v: &mut [f32]) {
        let mut planes = Planes::default();
        planes[0] = v;
        Optimizer::from(sgd).at(1, 0).apply(true, 1.0, w, g, planes);
    }

    #[test]
    fn two_steps_by_hand() {
        let sgd = Sgd { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.25, ..Sgd::PLAIN };
        let (mut w, mut v) = ([2.0], [0.0]);
        step(sgd, &mut w, &[1.0], &mut v);
        assert_eq!((w, v), ([1.25], [1.5])); // g = 1 + 0.5, w = 2 - 0.75
        step(sgd, &mut w, &[1.0], &mut v);
        assert_eq!((w, v), ([0.21875], [2.0625])); // g = 1.3125, v = 0.75 + 1.3125
    }

    #[test]
    fn two_steps_of_nesterov_by_hand() {
        let sgd = Sgd { learning_rate: 0.5, momentum: 0.5, nesterov: true, weight_decay: 0.25 };
        let (mut w, mut v) = ([2.0], [0.0]);
        step(sgd, &mut w, &[1.0], &mut v);
        assert_eq!((w, v), ([0.875], [1.5])); // g = 1.5, w = 2 - 0.5 (1.5 + 0.75)
        step(sgd, &mut w, &[1.0], &mut v);
        assert_eq!((w, v), ([-0.226_562_5], [1.968_75])); // g = 1.21875, v = 0.75 + g, w = 0.875 - 0.5 (g + 0.984375)
    }

    #[test]
    fn without_momentum_or_decay_there_is_none() {
        let plain = Sgd::new(0.5).unwrap();
        for (sgd, expected) in [
            (plain, (1.5, 7.0)), // velocity is left alone
            (Sgd { weight_decay: 0.25, ..plain }, (1.25, 7.0)),
            (Sgd { momentum: 0.5, ..plain }, (-0.25, 4.5)), // v = 3.5 + 1
            (Sgd { learning_rate: 0.0, momentum: 0.5, weight_decay: 0.25, ..plain }, (2.0, 5.0)),
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
        let sgd = Sgd { learning_rate: 0.5, momentum: 0.5, weight_decay: 0.25, ..Sgd::PLAIN };
        let tensor = |x: f64| Tensor::new(x, &candle_core::Device::Cpu).unwrap();
        let (mut w, mut state) = (tensor(2.0), [tensor(0.0)]);
        let rate = Rate { learning_rate: 0.5, momentum: None };
        for expected in [[1.25, 1.5], [0.21875, 2.0625]] {
            w = sgd.reference(rate, true, &w, &tensor(1.0), &mut state).unwrap();
            assert_eq!([&w, &state[0]].map(|t| t.to_scalar::<f64>().unwrap()), expected);
        }
        let lost = Sgd::PLAIN.reference(rate, true, &tensor(f64::INFINITY), &tensor(1.0), &mut []).unwrap();
        assert_eq!(lost.to_scalar::<f64>().unwrap(), f64::INFINITY, "0 times infinity is no number");
    }

    #[test]
    fn velocity_is_kept_with_momentum_only() {
        let plain = Sgd::new(0.5).unwrap();
        assert!(plain.state(false).is_empty());
        assert_eq!(plain.state(true), ["velocity"]);
        assert_eq!(Sgd { momentum: 0.5, ..plain }.state(false), ["velocity"]);
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let plain = Sgd { learning_rate: 0.1, ..Sgd::PLAIN };
        for (sgd, named) in [
            (Sgd { learning_rate: f32::NAN, ..plain }, "learning rate is NaN"),
            (Sgd { learning_rate: -0.1, ..plain }, "learning rate is -0.1"),
            (Sgd { learning_rate: f32::INFINITY, ..plain }, "learning rate is inf"),
            (Sgd { momentum: 1.0, ..plain }, "momentum is 1; it must be at least 0 and below 1"),
            (Sgd { momentum: -0.5, ..plain }, "momentum is -0.5"),
            (Sgd { momentum: f32::NAN, ..plain }, "momentum is NaN"),
            (Sgd { weight_decay: f32::INFINITY, ..plain }, "weight decay is inf"),
            (Sgd { weight_decay: -1.0, ..plain }, "weight decay is -1"),
            (Sgd { nesterov: true, ..plain }, "the momentum is 0; it must be above 0"),
        ] {
            let error = sgd.check(false).unwrap_err();
            assert!(error.code == Code::InvalidArgument && error.message.contains(named), "{error}");
        }
        assert!(Sgd::new(-1.0).is_err());
        let edges = Sgd { learning_rate: 0.0, momentum: 0.999_999, nesterov: true, weight_decay: 1e30 };
        assert_eq!(edges.check(false), Ok(()));
        assert_eq!(Sgd { nesterov: true, ..plain }.check(true), Ok(()), "rates bring momentum");
    }
}
