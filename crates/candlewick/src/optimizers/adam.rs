//! Adam (Kingma and Ba, 2015), with PyTorch's bias corrections. The t-th step is
//!
//! ```text
//!   g ← g + weight_decay · w
//!   m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²        w ← w - learning_rate / (1 - β₁ᵗ) · m / (√(v / (1 - β₂ᵗ)) + ε)
//! ```

use super::settings::{require_scale, require_share};
use super::{Encoded, Motion, Optimizer, Rate, Rule, decayed};
use crate::error::Result;
use bytemuck::{Pod, Zeroable};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// The settings of the optimiser; in JSON, PyTorch's defaults. 1 - β₂ has to be right, so betas are of float64.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Adam {
    /// Positive or zero.
    pub learning_rate: f32,
    /// Of the mean of gradients: 0 to below 1.
    pub beta1: f64,
    /// Of the mean of their squares: 0 to below 1.
    pub beta2: f64,
    /// Positive or zero.
    pub epsilon: f32,
    /// Positive or zero; added to the gradient, as PyTorch's Adam does, and not as AdamW.
    pub weight_decay: f32,
}

impl Default for Adam {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl Adam {
    /// Whether its settings make sense.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub(super) fn check(&self) -> Result<()> {
        require_scale("the learning rate", self.learning_rate)?;
        require_share("beta1", self.beta1)?;
        require_share("beta2", self.beta2)?;
        require_scale("epsilon", self.epsilon)?;
        require_scale("the weight decay", self.weight_decay)
    }

    /// The names of what it keeps for each parameter.
    pub(super) fn state(&self) -> &'static [&'static str] {
        &AdamStep::STATE
    }

    /// As `struct Adam` of kernels/optimizers.cuh, which fills in the rest.
    pub(super) fn encode(&self) -> Encoded {
        Encoded::new(3, self.on_device())
    }

    pub(super) fn on_device(&self) -> Device {
        let Self { learning_rate, beta1, beta2, epsilon, weight_decay } = *self;
        Device { betas: [beta1, beta2], learning_rate, epsilon, weight_decay, rate: 0.0, root: 0.0, keep: 1.0 }
    }

    /// Its `number`-th step, on parameters that decay or don't.
    pub(super) fn motion(&self, number: u64, rate: Rate, decays: bool) -> Motion {
        Motion::Adam(self.step(number, rate, decays))
    }

    pub(super) fn step(&self, number: u64, Rate { learning_rate, momentum }: Rate, decays: bool) -> AdamStep {
        let left = |beta: f64| 1.0 - libm::pow(beta, number as f64); // the same bits on any machine
        let beta1 = momentum.unwrap_or(self.beta1);
        AdamStep {
            betas: [beta1, self.beta2].map(|beta| beta as f32),
            shares: [beta1, self.beta2].map(|beta| (1.0 - beta) as f32),
            rate: (f64::from(learning_rate) / left(beta1)) as f32,
            root: (1.0 / libm::sqrt(left(self.beta2))) as f32,
            epsilon: self.epsilon,
            weight_decay: if decays { self.weight_decay } else { 0.0 },
        }
    }

    /// A step in candle's words: a parameter after it.
    ///
    /// # Errors
    /// candle's.
    pub(super) fn reference(
        &self,
        number: u64,
        Rate { learning_rate, momentum }: Rate,
        decays: bool,
        w: &Tensor,
        g: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let (beta1, beta2) = (momentum.unwrap_or(self.beta1), self.beta2);
        let left = |beta: f64| 1.0 - beta.powf(number as f64);
        let is_decayed = decays && self.weight_decay > 0.0;
        let g = if is_decayed { (g + (w * f64::from(self.weight_decay))?)? } else { g.clone() };
        if let [m, v] = state {
            *m = ((&*m * beta1)? + (&g * (1.0 - beta1))?)?;
            *v = ((&*v * beta2)? + (g.sqr()? * (1.0 - beta2))?)?;
            let deviation = ((&*v / left(beta2))?.sqrt()? + f64::from(self.epsilon))?;
            return w - ((&*m / left(beta1))?.div(&deviation)? * f64::from(learning_rate))?;
        }
        candle_core::bail!("Adam keeps {} tensors, but has {}", self.state().len(), state.len())
    }
}

/// `struct Adam` of kernels/optimizers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Device {
    betas: [f64; 2],
    learning_rate: f32,
    epsilon: f32,
    weight_decay: f32,
    rate: f32,
    root: f32,
    keep: f32,
}

/// A step, whose corrections for its number are worked out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    betas: [f32; 2],
    /// 1 - β
    shares: [f32; 2],
    rate: f32,
    root: f32,
    epsilon: f32,
    weight_decay: f32,
}

impl Rule<2> for AdamStep {
    const STATE: [&'static str; 2] = ["mean", "meanSquare"];

    #[inline(always)]
    fn step(&self, w: f32, g: f32, [m, v]: &mut [f32; 2]) -> f32 {
        let g = decayed(self.weight_decay, w, g);
        *m = self.betas[0] * *m + self.shares[0] * g;
        *v = self.betas[1] * *v + self.shares[1] * (g * g);
        w - self.rate * *m / (v.sqrt() * self.root + self.epsilon)
    }
}

impl From<Adam> for Optimizer {
    fn from(adam: Adam) -> Self {
        super::Method::Adam(adam).into()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::error::Code;
    use candle_core::{DType, Device, Var};
    use candle_nn::{AdamW, Optimizer as _, ParamsAdamW};

    /// candle-nn's AdamW, without the W.
    #[test]
    fn sixty_steps_are_candle_nns() {
        let other = Adam { learning_rate: 0.1, beta1: 0.5, beta2: 0.7, epsilon: 1e-3, weight_decay: 0.0 };
        for adam in [Adam::default(), other] {
            check_sixty_steps(&adam.into(), &adam, 0.0);
        }
    }

    /// Holds an optimiser of these settings against candle-nn's AdamW.
    pub(crate) fn check_sixty_steps(optimizer: &Optimizer, settings: &Adam, weight_decay: f64) {
        let (mut w, mut m, mut v) = ([1.0f32, -2.0, 0.5], [0.0; 3], [0.0; 3]);
        let theirs = Var::new(&w.map(f64::from), &Device::Cpu).unwrap();
        let params = ParamsAdamW {
            lr: settings.learning_rate.into(),
            beta1: settings.beta1,
            beta2: settings.beta2,
            eps: settings.epsilon.into(),
            weight_decay,
        };
        let mut reference = AdamW::new(vec![theirs.clone()], params).unwrap();
        for number in 1..=60 {
            let loss = theirs.powf(4.0).unwrap().sum_all().unwrap();
            let g = loss.backward().unwrap();
            let gradient: Vec<f64> = g.get(&theirs).unwrap().to_vec1().unwrap();
            reference.step(&g).unwrap();
            let gradient: Vec<f32> = gradient.into_iter().map(|g| g as f32).collect();
            optimizer.at(number, 0).apply(true, 1.0, &mut w, &gradient, [&mut m, &mut v]);
            let expected: Vec<f64> = theirs.to_dtype(DType::F64).unwrap().to_vec1().unwrap();
            for (w, expected) in w.iter().zip(expected) {
                assert!((f64::from(*w) - expected).abs() < 1e-5, "step {number}: {w}, not {expected}");
            }
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let adam = Adam::default();
        for (adam, named) in [
            (Adam { learning_rate: -1.0, ..adam }, "learning rate is -1"),
            (Adam { learning_rate: -0.1, ..adam }, "learning rate is -0.1;"),
            (Adam { learning_rate: f32::NAN, ..adam }, "learning rate is NaN"),
            (Adam { epsilon: f32::INFINITY, ..adam }, "epsilon is inf; it must be a finite number"),
            (Adam { beta1: 1.0, ..adam }, "beta1 is 1; it must be at least 0 and below 1"),
            (Adam { beta2: -0.1, ..adam }, "beta2 is -0.1"),
            (Adam { weight_decay: -1.0, ..adam }, "weight decay is -1"),
        ] {
            let error = adam.check().unwrap_err();
            assert!(error.code == Code::InvalidArgument && error.message.contains(named), "{error}");
        }
    }

    #[test]
    fn what_is_not_written_is_pytorchs() {
        let adam = Adam { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };
        assert_eq!(serde_json::from_str::<Optimizer>(r#"{ "kind": "adam" }"#).unwrap(), adam.into());
        let slow = serde_json::from_str::<Optimizer>(r#"{ "kind": "adam", "learningRate": 1e-4 }"#).unwrap();
        assert_eq!(slow, Adam { learning_rate: 1e-4, ..adam }.into());
    }
}
