//! Optimisers: how a step moves parameters by their gradient.
//!
//! An optimiser is a rule for one parameter, with the numbers that it keeps for it from step to step ([`Optimizer::state`]).
//! Engines keep those numbers (`state.rs`) and have the step applied ([`Optimizer::at`]); they know no optimiser by name. To
//! add one is to write its file and to follow the compiler through this one.

mod adam;
mod device;
mod settings;
mod sgd;
mod state;

use crate::error::Result;
pub use adam::Adam;
use candle_core::Tensor;
pub(crate) use device::{Encoded, SETTINGS};
use serde::{Deserialize, Serialize};
pub use sgd::Sgd;
pub(crate) use state::State;

/// An optimiser's settings. As JSON, `{ "kind": "sgd", "learningRate": 0.1, "momentum": 0.9, "weightDecay": 0 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam.
    Adam(Adam),
}

impl Optimizer {
    /// Each of them, some with several settings, which tests take in turn.
    pub const EXAMPLES: &[Self] = &[
        Self::Sgd(Sgd { learning_rate: 0.05, momentum: 0.0, weight_decay: 0.0 }),
        Self::Sgd(Sgd { learning_rate: 0.05, momentum: 0.9, weight_decay: 0.01 }),
        // With a smaller epsilon, rounding would decide where a parameter goes whose gradient is next to nothing.
        Self::Adam(Adam { learning_rate: 0.01, beta1: 0.8, beta2: 0.9, epsilon: 0.1 }),
    ];

    /// Its name in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::Adam(_) => "adam",
        }
    }

    /// Itself, if its settings make sense.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub fn validated(self) -> Result<Self> {
        match self {
            Self::Sgd(sgd) => sgd.validated().map(Self::Sgd),
            Self::Adam(adam) => adam.validated().map(Self::Adam),
        }
    }

    /// The names of the numbers that it keeps for each parameter, at most [`MOST_STATE`].
    pub fn state(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd(sgd) => sgd.state(),
            Self::Adam(adam) => adam.state(),
        }
    }

    /// What the kernels are told of it.
    pub(crate) fn encode(&self) -> Encoded {
        match self {
            Self::Sgd(sgd) => sgd.encode(),
            Self::Adam(adam) => adam.encode(),
        }
    }

    /// Its `number`-th step in candle's words: a parameter after it. `state` is the parameter's, in the order of
    /// [`Optimizer::state`].
    ///
    /// # Errors
    /// candle's.
    pub(crate) fn reference(
        &self,
        number: u64,
        w: &Tensor,
        g: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        match self {
            Self::Sgd(sgd) => sgd.reference(w, g, state),
            Self::Adam(adam) => adam.reference(number, w, g, state),
        }
    }

    /// Its `number`-th step, counted from 1: what depends on the number is worked out here, once for all parameters.
    pub fn at(&self, number: u64) -> Step {
        match self {
            Self::Sgd(sgd) => sgd.step(),
            Self::Adam(adam) => adam.step(number),
        }
    }
}

/// What a step does to every parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Of SGD without momentum.
    Descent(sgd::Descent),
    /// Of SGD with momentum.
    Momentum(sgd::Momentum),
    /// Of Adam.
    Adam(adam::AdamStep),
}

/// The most numbers that an optimiser keeps for a parameter.
pub const MOST_STATE: usize = 2;

/// The state of some parameters as a step takes it: plane by plane, in the order of [`Optimizer::state`]; whatever it likes,
/// such as nothing, where an optimiser has fewer.
pub type Planes<'a> = [&'a mut [f32]; MOST_STATE];

impl Step {
    /// Moves `parameters` by their `gradient`; `planes` are of the same length.
    #[inline(always)] // into a kernel, to be compiled for its instruction set
    pub fn apply(&self, parameters: &mut [f32], gradient: &[f32], planes: Planes<'_>) {
        match *self {
            Self::Descent(rule) => apply(rule, parameters, gradient, planes),
            Self::Momentum(rule) => apply(rule, parameters, gradient, planes),
            Self::Adam(rule) => apply(rule, parameters, gradient, planes),
        }
    }
}

/// What a step does to one parameter, for which the optimiser keeps N numbers. A kernel of CUDA's says the same.
trait Rule<const N: usize>: Copy {
    /// Their names.
    const STATE: [&'static str; N];

    /// From a parameter, its gradient and its state to the new parameter and state.
    fn step(&self, w: f32, g: f32, state: &mut [f32; N]) -> f32;
}

/// One loop for each rule, without a branch in it.
#[inline(always)]
fn apply<const N: usize>(rule: impl Rule<N>, w: &mut [f32], g: &[f32], planes: Planes<'_>) {
    const { assert!(N <= MOST_STATE, "MOST_STATE is less than a rule keeps") };
    let n = w.len();
    let g = &g[..n];
    let mut planes = planes.into_iter();
    let planes: [_; N] = std::array::from_fn(|_| &mut planes.next().unwrap_or_default()[..n]);
    for i in 0..n {
        let mut state = std::array::from_fn(|k| planes[k][i]);
        let moved = rule.step(w[i], g[i], &mut state);
        for k in 0..N {
            planes[k][i] = state[k];
        }
        w[i] = moved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    /// serde names all kinds when it is given another.
    #[test]
    fn each_kind_has_an_example_which_comes_back_from_json() {
        let error = serde_json::from_str::<Optimizer>(r#"{"kind":""}"#).unwrap_err().to_string();
        for kind in error.split('`').skip(3).step_by(2) {
            assert!(Optimizer::EXAMPLES.iter().any(|optimizer| optimizer.kind() == kind), "{kind} has no example");
        }
        for optimizer in Optimizer::EXAMPLES {
            let json = serde_json::to_value(optimizer).unwrap();
            assert_eq!(json["kind"], optimizer.kind());
            assert_eq!(serde_json::from_value::<Optimizer>(json).unwrap(), *optimizer);
            assert_eq!(optimizer.validated(), Ok(*optimizer));
        }
    }

    #[test]
    fn json_is_what_javascript_writes() {
        let text = r#"{"kind":"sgd","learningRate":0.05,"momentum":0.9,"weightDecay":0.01}"#;
        assert_eq!(serde_json::to_string(&Optimizer::EXAMPLES[1]).unwrap(), text);
        let least = serde_json::from_str::<Optimizer>(r#"{"kind":"sgd","learningRate":0.05}"#).unwrap();
        assert_eq!(least, Optimizer::EXAMPLES[0]);
    }

    #[test]
    fn settings_arrive_as_they_were_written() {
        // Digits that a reader in a hurry gets wrong by the last bit, and then again as float32.
        for number in [0.1, 1.0 / 3.0, 5e-324, 1.0 + f64::from(f32::EPSILON) / 2.0, 3.4e38] {
            let text = format!(r#"{{"kind":"sgd","learningRate":{number},"momentum":0,"weightDecay":0}}"#);
            let Optimizer::Sgd(sgd) = serde_json::from_str(&text).unwrap() else { panic!("{text} is of another kind") };
            assert_eq!(sgd.learning_rate.to_bits(), (number as f32).to_bits(), "{number}");
        }
    }

    #[test]
    fn what_no_optimizer_has_is_refused() {
        for (text, named) in [
            (r#"{"kind":"sgd","learningRate":1,"momentum":0,"weightDecay":0,"nesterov":true}"#, "nesterov"),
            (r#"{"kind":"sgd","momentum":0}"#, "learningRate"),
            (r#"{"kind":"sgd","learningRate":"1","momentum":0,"weightDecay":0}"#, "string \"1\""),
            (r#"{"kind":"sgdd","learningRate":1}"#, "sgdd"),
            (r#"{"learningRate":1}"#, "kind"),
        ] {
            let error = serde_json::from_str::<Optimizer>(text).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    /// In float32 both, but candle rounds otherwise.
    #[test]
    fn each_follows_candle() {
        let tensor = |x: &[f32]| Tensor::new(x, &candle_core::Device::Cpu).unwrap();
        let gradients = [[0.5f32, -1.0, 0.0, 1e-3], [0.25, 1.0, 0.0, -2.0], [-0.125, 0.5, 3.0, 1.0]];
        for optimizer in Optimizer::EXAMPLES {
            let (mut w, mut planes) = ([1.0f32, -2.0, 0.0, 3.0], [[0.0f32; 4]; MOST_STATE]);
            let (mut expected, mut state) = (tensor(&w), vec![tensor(&[0.0; 4]); optimizer.state().len()]);
            for (number, g) in (1..).zip(gradients) {
                optimizer.at(number).apply(&mut w, &g, planes.each_mut().map(|plane| &mut plane[..]));
                expected = optimizer.reference(number, &expected, &tensor(&g), &mut state).unwrap();
                let pairs = [(expected.clone(), w)].into_iter().chain(state.clone().into_iter().zip(planes));
                for (expected, found) in pairs {
                    for (e, f) in expected.to_vec1::<f32>().unwrap().iter().zip(found) {
                        assert!((e - f).abs() <= 1e-6 * e.abs().max(1.0), "{optimizer:?}, step {number}: {f}, not {e}");
                    }
                }
            }
        }
    }

    #[test]
    fn settings_are_held_by_their_optimizer() {
        let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.0 };
        assert_eq!(Optimizer::Sgd(sgd).validated(), Ok(Optimizer::Sgd(sgd)));
        let error = Optimizer::Sgd(Sgd { momentum: 1.0, ..sgd }).validated().unwrap_err();
        assert_eq!((error.code, error.message.contains("momentum is 1")), (Code::InvalidArgument, true));
    }
}
