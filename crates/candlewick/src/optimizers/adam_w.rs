//! AdamW (Loshchilov and Hutter, 2019), as PyTorch has it: Adam whose weights decay by themselves, whatever the gradient.
//!
//! ```text
//!   w ← w - learning_rate · weight_decay · w, and then Adam's step
//! ```

use super::adam::{Adam, AdamStep};
use super::settings::require_scale;
use super::{Encoded, Method, Motion, Optimizer, Rate, Rule};
use crate::error::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The settings of the optimiser, Adam's but for the decay; in JSON, PyTorch's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AdamW {
    /// Positive or zero.
    pub learning_rate: f32,
    /// Of the mean of gradients: 0 to below 1.
    pub beta1: f64,
    /// Of the mean of their squares: 0 to below 1.
    pub beta2: f64,
    /// Positive or zero.
    pub epsilon: f32,
    /// Positive or zero: times the learning rate, the share of a weight that a step takes away.
    pub weight_decay: f32,
}

impl Default for AdamW {
    fn default() -> Self {
        let Adam { learning_rate, beta1, beta2, epsilon, .. } = Adam::default();
        Self { learning_rate, beta1, beta2, epsilon, weight_decay: 0.01 }
    }
}

impl AdamW {
    /// Whether its settings make sense.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub(super) fn check(&self) -> Result<()> {
        self.adam().check()?;
        require_scale("the weight decay", self.weight_decay)
    }

    /// What follows the decay.
    fn adam(&self) -> Adam {
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay: _ } = *self;
        Adam { learning_rate, beta1, beta2, epsilon, weight_decay: 0.0 }
    }

    /// The names of what it keeps for each parameter.
    pub(super) fn state(&self) -> &'static [&'static str] {
        &AdamWStep::STATE
    }

    /// As `struct AdamW` of kernels/optimizers.cuh.
    pub(super) fn encode(&self) -> Encoded {
        Encoded::new(4, Adam { weight_decay: self.weight_decay, ..self.adam() }.on_device())
    }

    /// Its `number`-th step, on parameters that decay or don't.
    pub(super) fn motion(&self, number: u64, rate: Rate, decays: bool) -> Motion {
        let keep = if decays { self.keep(rate) } else { 1.0 };
        Motion::AdamW(AdamWStep { adam: self.adam().step(number, rate, false), keep: keep as f32 })
    }

    /// The share of a weight that a step leaves.
    fn keep(&self, rate: Rate) -> f64 {
        1.0 - f64::from(rate.learning_rate) * f64::from(self.weight_decay)
    }

    /// A step in candle's words: a parameter after it.
    ///
    /// # Errors
    /// candle's.
    pub(super) fn reference(
        &self,
        number: u64,
        rate: Rate,
        decays: bool,
        w: &Tensor,
        g: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let w = if decays { (w * self.keep(rate))? } else { w.clone() };
        self.adam().reference(number, rate, false, &w, g, state)
    }
}

/// A step, whose corrections for its number are worked out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    adam: AdamStep,
    keep: f32,
}

impl Rule<2> for AdamWStep {
    const STATE: [&'static str; 2] = AdamStep::STATE;

    #[inline(always)]
    fn step(&self, w: f32, g: f32, state: &mut [f32; 2]) -> f32 {
        self.adam.step(self.keep * w, g, state)
    }
}

impl From<AdamW> for Optimizer {
    fn from(adam_w: AdamW) -> Self {
        Method::AdamW(adam_w).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::adam::tests::check_sixty_steps;
    use super::*;
    use crate::optimizers::Decay;

    #[test]
    fn sixty_steps_are_candle_nns() {
        for weight_decay in [0.01, 0.5] {
            let adam_w = AdamW { learning_rate: 0.05, weight_decay, ..AdamW::default() };
            check_sixty_steps(&adam_w.into(), &adam_w.adam(), weight_decay.into());
        }
    }

    /// Without a gradient, Adam stands still, and what is left is the decay.
    #[test]
    fn weights_decay_whatever_the_gradient() {
        let adam_w = AdamW { learning_rate: 0.5, weight_decay: 0.25, ..AdamW::default() };
        for (decays, expected) in [(true, 1.75), (false, 2.0)] {
            let (mut w, mut m, mut v) = ([2.0], [0.0], [0.0]);
            Optimizer { decay: Decay::Weights, ..adam_w.into() }.at(1, 0).apply(
                decays,
                1.0,
                &mut w,
                &[0.0],
                [&mut m, &mut v],
            );
            assert_eq!(w, [expected]);
        }
    }

    #[test]
    fn what_is_not_written_is_pytorchs() {
        let adam_w = AdamW { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
        assert_eq!(serde_json::from_str::<Optimizer>(r#"{ "kind": "adamW" }"#).unwrap(), adam_w.into());
        assert!(AdamW { weight_decay: f32::NAN, ..adam_w }.check().is_err());
        assert!(AdamW { beta1: 1.0, ..adam_w }.check().is_err());
    }
}
