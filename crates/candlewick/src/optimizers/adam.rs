//! Adam (Kingma and Ba, 2015), with PyTorch's bias corrections. The t-th step is
//!
//! ```text
//!   m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²        w ← w - learning_rate / (1 - β₁ᵗ) · m / (√(v / (1 - β₂ᵗ)) + ε)
//! ```

use super::settings::{require_scale, require_share};
use super::{Encoded, Optimizer, Rule, Step};
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
}

impl Default for Adam {
    fn default() -> Self {
        Self { learning_rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Adam {
    /// Itself, if its settings make sense.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub fn validated(self) -> Result<Self> {
        require_scale("the learning rate", self.learning_rate)?;
        require_share("beta1", self.beta1)?;
        require_share("beta2", self.beta2)?;
        require_scale("epsilon", self.epsilon)?;
        Ok(self)
    }

    /// The names of what it keeps for each parameter.
    pub(super) fn state(&self) -> &'static [&'static str] {
        &AdamStep::STATE
    }

    /// As `struct Adam` of kernels/optimizers.cuh, which fills in the last two.
    pub(super) fn encode(&self) -> Encoded {
        let Self { learning_rate, beta1, beta2, epsilon } = *self;
        Encoded::new(2, Device { betas: [beta1, beta2], learning_rate, epsilon, rate: 0.0, root: 0.0 })
    }

    /// Its `number`-th step.
    pub(super) fn step(&self, number: u64) -> Step {
        let left = |beta: f64| 1.0 - libm::pow(beta, number as f64); // the same bits on any machine
        Step::Adam(AdamStep {
            betas: [self.beta1, self.beta2].map(|beta| beta as f32),
            shares: [self.beta1, self.beta2].map(|beta| (1.0 - beta) as f32),
            rate: (f64::from(self.learning_rate) / left(self.beta1)) as f32,
            root: (1.0 / libm::sqrt(left(self.beta2))) as f32,
            epsilon: self.epsilon,
        })
    }

    /// A step in candle's words: a parameter after it.
    ///
    /// # Errors
    /// candle's.
    pub(super) fn reference(
        &self,
        number: u64,
        w: &Tensor,
        g: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let Self { learning_rate, beta1, beta2, epsilon } = *self;
        let left = |beta: f64| 1.0 - beta.powf(number as f64);
        if let [m, v] = state {
            *m = ((&*m * beta1)? + (g * (1.0 - beta1))?)?;
            *v = ((&*v * beta2)? + (g.sqr()? * (1.0 - beta2))?)?;
            let deviation = ((&*v / left(beta2))?.sqrt()? + f64::from(epsilon))?;
            return w - ((&*m / left(beta1))?.div(&deviation)? * f64::from(learning_rate))?;
        }
        candle_core::bail!("Adam keeps {} tensors, but has {}", self.state().len(), state.len())
    }
}

/// `struct Adam` of kernels/optimizers.cuh.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Device {
    betas: [f64; 2],
    learning_rate: f32,
    epsilon: f32,
    rate: f32,
    root: f32,
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
}

impl Rule<2> for AdamStep {
    const STATE: [&'static str; 2] = ["mean", "meanSquare"];

    #[inline(always)]
    fn step(&self, w: f32, g: f32, [m, v]: &mut [f32; 2]) -> f32 {
        *m = self.betas[0] * *m + self.shares[0] * g;
        *v = self.betas[1] * *v + self.shares[1] * (g * g);
        w - self.rate * *m / (v.sqrt() * self.root + self.epsilon)
    }
}

impl From<Adam> for Optimizer {
    fn from(adam: Adam) -> Self {
        Self::Adam(adam)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use candle_core::{DType, Device, Var};
    use candle_nn::{AdamW, Optimizer as _, ParamsAdamW};

    /// candle-nn's AdamW, without the W.
    #[test]
    fn sixty_steps_are_candle_nns() {
        for adam in [Adam::default(), Adam { learning_rate: 0.1, beta1: 0.5, beta2: 0.7, epsilon: 1e-3 }] {
            let (mut w, mut m, mut v) = ([1.0f32, -2.0, 0.5], [0.0; 3], [0.0; 3]);
            let theirs = Var::new(&w.map(f64::from), &Device::Cpu).unwrap();
            let mut optimizer = AdamW::new(
                vec![theirs.clone()],
                ParamsAdamW {
                    lr: adam.learning_rate.into(),
                    beta1: adam.beta1,
                    beta2: adam.beta2,
                    eps: adam.epsilon.into(),
                    weight_decay: 0.0,
                },
            )
            .unwrap();
            for number in 1..=60 {
                let loss = theirs.powf(4.0).unwrap().sum_all().unwrap();
                let g = loss.backward().unwrap();
                let gradient: Vec<f64> = g.get(&theirs).unwrap().to_vec1().unwrap();
                optimizer.step(&g).unwrap();
                let gradient: Vec<f32> = gradient.into_iter().map(|g| g as f32).collect();
                adam.step(number).apply(&mut w, &gradient, [&mut m, &mut v]);
                let expected: Vec<f64> = theirs.to_dtype(DType::F64).unwrap().to_vec1().unwrap();
                for (w, expected) in w.iter().zip(expected) {
                    assert!((f64::from(*w) - expected).abs() < 1e-5, "step {number}: {w}, not {expected}");
                }
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
        ] {
            let error = adam.validated().unwrap_err();
            assert!(error.code == Code::InvalidArgument && error.message.contains(named), "{error}");
        }
        assert_eq!(serde_json::from_str::<Optimizer>(r#"{ "kind": "adam" }"#).unwrap(), adam.into());
    }
}
