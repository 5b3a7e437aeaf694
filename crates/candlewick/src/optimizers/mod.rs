//! Optimisers: how a step moves parameters by their gradient.
//!
//! An optimiser is a rule for one parameter, with the numbers that it keeps for it from step to step ([`Optimizer::state`]).
//! Engines keep those numbers (`state.rs`) and have the step applied ([`Optimizer::at`]); they know no optimiser by name. To
//! add one is to write its file and to follow the compiler through this one.

mod adam;
mod adam_w;
mod averaging;
mod clipping;
mod decay;
mod device;
mod rate;
mod settings;
mod sgd;
mod state;

use crate::error::{Code, Error, Result};
pub use adam::Adam;
pub use adam_w::AdamW;
pub(crate) use averaging::follow;
pub use averaging::{Averaging, Ema};
use candle_core::Tensor;
pub(crate) use clipping::squares;
pub use decay::Decay;
pub(crate) use device::{Encoded, SETTINGS};
pub use rate::Rate;
use serde::{Deserialize, Serialize};
use settings::require_positive;
pub use sgd::Sgd;
pub(crate) use state::State;

/// An optimiser: a method, what every method may be told beside its own settings, and the rates of the steps to come. As JSON,
/// without the rates, `{ "kind": "sgd", "learningRate": 0.1, "momentum": 0.9, "weightDecay": 0, "decay": "weights" }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Optimizer {
    /// What a step is.
    #[serde(flatten)]
    pub method: Method,
    /// What the weight decay is for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub decay: Decay,
    /// The most that the norm of all gradients together may be, above 0; they are made smaller where it is more.
    #[serde(default, skip_serializing_if = "is_default")]
    pub clip_norm: Option<f32>,
    /// An average of the parameters, by which the network then answers.
    #[serde(default, skip_serializing_if = "is_default")]
    pub averaging: Option<Averaging>,
    /// Those of the steps that a call is to make, one after the other; where there are none, the method's own at each step.
    #[serde(skip)]
    pub rates: Vec<Rate>,
}

/// How a step moves parameters, with settings of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Method {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam.
    Adam(Adam),
    /// Adam with weight decay of its own.
    AdamW(AdamW),
}

impl From<Method> for Optimizer {
    fn from(method: Method) -> Self {
        Self::new(method)
    }
}

impl Optimizer {
    /// Each of them, some with several settings, which tests take in turn. With a smaller epsilon of Adam's, rounding would decide
    /// where a parameter goes whose gradient is next to nothing.
    pub const EXAMPLES: &[Self] = &[
        Self::new(Method::Sgd(Sgd { learning_rate: 0.05, ..Sgd::PLAIN })),
        Self::new(Method::Sgd(Sgd { learning_rate: 0.05, momentum: 0.9, weight_decay: 0.01, ..Sgd::PLAIN })),
        Self::example(Method::Sgd(Sgd { learning_rate: 0.05, momentum: 0.9, nesterov: true, weight_decay: 0.5 })),
        Self::new(Method::Adam(Adam { learning_rate: 0.01, beta1: 0.8, beta2: 0.9, epsilon: 0.1, weight_decay: 0.0 })),
        Self::new(Method::Adam(Adam { learning_rate: 0.01, beta1: 0.8, beta2: 0.9, epsilon: 0.1, weight_decay: 0.1 })),
        Self::example(Method::AdamW(AdamW {
            learning_rate: 0.01,
            beta1: 0.8,
            beta2: 0.9,
            epsilon: 0.1,
            weight_decay: 5.0,
        })),
    ];

    /// With all that it may be told.
    const fn example(method: Method) -> Self {
        let averaging = Some(Averaging::Ema(Ema { decay: 0.5 }));
        Self { method, decay: Decay::Weights, clip_norm: Some(0.01), averaging, rates: Vec::new() }
    }

    /// Of this method, and of nothing else.
    pub const fn new(method: Method) -> Self {
        Self { method, decay: Decay::All, clip_norm: None, averaging: None, rates: Vec::new() }
    }

    /// Its name in JSON.
    pub fn kind(&self) -> &'static str {
        match self.method {
            Method::Sgd(_) => "sgd",
            Method::Adam(_) => "adam",
            Method::AdamW(_) => "adamW",
        }
    }

    /// The kind of this name, if there is one.
    pub(crate) fn kind_of_name(name: &str) -> Option<&'static str> {
        Self::EXAMPLES.iter().map(Self::kind).find(|kind| *kind == name)
    }

    /// Whether its settings make sense, and its rates are those of so many steps.
    ///
    /// # Errors
    /// `InvalidArgument` names what does not.
    pub fn check(&self, steps: usize) -> Result<()> {
        match &self.method {
            Method::Sgd(sgd) => sgd.check(self.cycles_momentum())?,
            Method::Adam(adam) => adam.check()?,
            Method::AdamW(adam_w) => adam_w.check()?,
        }
        self.clip_norm.map_or(Ok(()), |most| require_positive("the clip norm", most))?;
        self.averaging.as_ref().map_or(Ok(()), Averaging::check)?;
        if !self.rates.is_empty() && self.rates.len() != steps {
            let message = format!("{} rates were given for {steps} steps; each step needs one", self.rates.len());
            return Err(Error::new(Code::InvalidArgument, message));
        }
        self.rates.iter().try_for_each(Rate::check)
    }

    /// Whether rates bring a momentum of their own.
    fn cycles_momentum(&self) -> bool {
        self.rates.iter().any(|rate| rate.momentum.is_some())
    }

    /// The names of the numbers that it keeps for each parameter, at most [`MOST_STATE`].
    pub fn state(&self) -> &'static [&'static str] {
        match &self.method {
            Method::Sgd(sgd) => sgd.state(self.cycles_momentum()),
            Method::Adam(adam) => adam.state(),
            Method::AdamW(adam_w) => adam_w.state(),
        }
    }

    /// What the kernels are told of it.
    pub(crate) fn encode(&self) -> Encoded {
        match &self.method {
            Method::Sgd(sgd) => sgd.encode(self.cycles_momentum()),
            Method::Adam(adam) => adam.encode(),
            Method::AdamW(adam_w) => adam_w.encode(),
        }
    }

    /// The rate of the step that a call makes as the `place`-th, from 0.
    pub fn rate(&self, place: usize) -> Rate {
        let learning_rate = match &self.method {
            Method::Sgd(sgd) => sgd.learning_rate,
            Method::Adam(adam) => adam.learning_rate,
            Method::AdamW(adam_w) => adam_w.learning_rate,
        };
        self.rates.get(place).copied().unwrap_or(Rate { learning_rate, momentum: None })
    }

    /// Its `number`-th step in candle's words: a parameter after it. `state` is the parameter's, in the order of
    /// [`Optimizer::state`].
    ///
    /// # Errors
    /// candle's.
    pub(crate) fn reference(
        &self,
        number: u64,
        rate: Rate,
        is_weight: bool,
        w: &Tensor,
        g: &Tensor,
        state: &mut [Tensor],
    ) -> candle_core::Result<Tensor> {
        let decays = self.decay.takes(is_weight);
        match &self.method {
            Method::Sgd(sgd) => sgd.reference(rate, decays, w, g, state),
            Method::Adam(adam) => adam.reference(number, rate, decays, w, g, state),
            Method::AdamW(adam_w) => adam_w.reference(number, rate, decays, w, g, state),
        }
    }

    /// Its `number`-th step, counted from 1, which a call makes as the `place`-th, from 0: what depends on these is worked out
    /// here, once for all parameters.
    pub fn at(&self, number: u64, place: usize) -> Step {
        let rate = self.rate(place);
        let motion = |is_weight| {
            let decays = self.decay.takes(is_weight);
            match &self.method {
                Method::Sgd(sgd) => sgd.motion(rate, decays),
                Method::Adam(adam) => adam.motion(number, rate, decays),
                Method::AdamW(adam_w) => adam_w.motion(number, rate, decays),
            }
        };
        let share = self.averaging.map(|averaging| averaging.share(number) as f32);
        Step { of_weights: motion(true), of_others: motion(false), clip_norm: self.clip_norm, share }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    of_weights: Motion,
    of_others: Motion,
    clip_norm: Option<f32>,
    /// What an average then takes of the parameters, where there is one.
    pub share: Option<f32>,
}

/// What a step does to every parameter of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Motion {
    /// Of SGD without momentum.
    Descent(sgd::Descent),
    /// Of SGD with momentum.
    Momentum(sgd::Momentum),
    /// Of SGD with Nesterov's momentum.
    Nesterov(sgd::Nesterov),
    /// Of Adam.
    Adam(adam::AdamStep),
    /// Of AdamW.
    AdamW(adam_w::AdamWStep),
}

/// The most numbers that an optimiser keeps for a parameter.
pub const MOST_STATE: usize = 2;

/// The state of some parameters as a step takes it: plane by plane, in the order of [`Optimizer::state`]; whatever it likes,
/// such as nothing, where an optimiser has fewer.
pub type Planes<'a> = [&'a mut [f32]; MOST_STATE];

impl Step {
    /// Whether it takes the squares of all gradients to know their scale.
    pub fn clips(&self) -> bool {
        self.clip_norm.is_some()
    }

    /// What gradients are multiplied by whose squares add up to this.
    pub fn scale(&self, squares: f64) -> f32 {
        self.clip_norm.map_or(1.0, |most| clipping::scale(most, squares))
    }

    /// What it does to weights, or to all that are none.
    pub fn motion(&self, is_weight: bool) -> &Motion {
        if is_weight { &self.of_weights } else { &self.of_others }
    }

    /// Moves `parameters`, all weights or none, by `scale` times their `gradient`; `planes` are of the same length.
    #[inline(always)] // into a kernel, to be compiled for its instruction set
    pub fn apply(&self, is_weight: bool, scale: f32, parameters: &mut [f32], gradient: &[f32], planes: Planes<'_>) {
        match *self.motion(is_weight) {
            Motion::Descent(rule) => apply(rule, scale, parameters, gradient, planes),
            Motion::Momentum(rule) => apply(rule, scale, parameters, gradient, planes),
            Motion::Nesterov(rule) => apply(rule, scale, parameters, gradient, planes),
            Motion::Adam(rule) => apply(rule, scale, parameters, gradient, planes),
            Motion::AdamW(rule) => apply(rule, scale, parameters, gradient, planes),
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
fn apply<const N: usize>(rule: impl Rule<N>, scale: f32, w: &mut [f32], g: &[f32], planes: Planes<'_>) {
    const { assert!(N <= MOST_STATE, "MOST_STATE is less than a rule keeps") };
    let n = w.len();
    let g = &g[..n];
    let mut planes = planes.into_iter();
    let planes: [_; N] = std::array::from_fn(|_| &mut planes.next().unwrap_or_default()[..n]);
    for i in 0..n {
        let mut state = std::array::from_fn(|k| planes[k][i]);
        let moved = rule.step(w[i], scale * g[i], &mut state);
        for k in 0..N {
            planes[k][i] = state[k];
        }
        w[i] = moved;
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
            assert_eq!(optimizer.check(7), Ok(()));
        }
    }

    #[test]
    fn json_is_what_javascript_writes() {
        let text = r#"{"kind":"sgd","learningRate":0.05,"momentum":0.9,"weightDecay":0.01}"#;
        assert_eq!(serde_json::to_string(&Optimizer::EXAMPLES[1]).unwrap(), text);
        let text = r#"{"kind":"sgd","learningRate":0.05,"momentum":0.9,"nesterov":true,"weightDecay":0.5,"decay":"weights","clipNorm":0.01,"averaging":{"kind":"ema","decay":0.5}}"#;
        assert_eq!(serde_json::to_string(&Optimizer::EXAMPLES[2]).unwrap(), text);
        let least = serde_json::from_str::<Optimizer>(r#"{"kind":"sgd","learningRate":0.05}"#).unwrap();
        assert_eq!(least, Optimizer::EXAMPLES[0]);
    }

    #[test]
    fn settings_arrive_as_they_were_written() {
        // Digits that a reader in a hurry gets wrong by the last bit, and then again as float32.
        for number in [0.1, 1.0 / 3.0, 5e-324, 1.0 + f64::from(f32::EPSILON) / 2.0, 3.4e38] {
            let text = format!(r#"{{"kind":"sgd","learningRate":{number},"momentum":0,"weightDecay":0}}"#);
            let Method::Sgd(sgd) = serde_json::from_str::<Optimizer>(&text).unwrap().method else {
                panic!("{text} is of another kind")
            };
            assert_eq!(sgd.learning_rate.to_bits(), (number as f32).to_bits(), "{number}");
        }
    }

    #[test]
    fn what_no_optimizer_has_is_refused() {
        for (text, named) in [
            (r#"{"kind":"sgd","learningRate":1,"momentum":0,"weightDecay":0,"dampening":1}"#, "dampening"),
            (r#"{"kind":"sgd","learningRate":1,"decay":"biases"}"#, "biases"),
            (r#"{"kind":"sgd","learningRate":1,"averaging":{"kind":"swa"}}"#, "swa"),
            (r#"{"kind":"sgd","learningRate":1,"averaging":{"kind":"ema","decay":0.9,"steps":5}}"#, "steps"),
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
        let cycled =
            [0.5, 0.01, 0.125].map(|learning_rate| Rate { learning_rate, momentum: Some(learning_rate.into()) });
        let rates = [Vec::new(), cycled.to_vec()];
        for (example, rates, is_weight) in cases(&rates) {
            let optimizer = Optimizer { rates: rates.clone(), ..example.clone() };
            let (mut w, mut planes) = ([1.0f32, -2.0, 0.0, 3.0], [[0.0f32; 4]; MOST_STATE]);
            let (mut expected, mut state) = (tensor(&w), vec![tensor(&[0.0; 4]); optimizer.state().len()]);
            for (place, g) in gradients.iter().enumerate() {
                let (number, planes_now) = (place as u64 + 1, planes.each_mut().map(|plane| &mut plane[..]));
                optimizer.at(number, place).apply(is_weight, 0.5, &mut w, g, planes_now);
                let (rate, g) = (optimizer.rate(place), tensor(&g.map(|g| 0.5 * g)));
                expected = optimizer.reference(number, rate, is_weight, &expected, &g, &mut state).unwrap();
                let pairs = [(expected.clone(), w)].into_iter().chain(state.clone().into_iter().zip(planes));
                for (expected, found) in pairs {
                    for (e, f) in expected.to_vec1::<f32>().unwrap().iter().zip(found) {
                        assert!((e - f).abs() <= 1e-6 * e.abs().max(1.0), "{optimizer:?}, step {number}: {f}, not {e}");
                    }
                }
            }
        }
    }

    fn cases(rates: &[Vec<Rate>]) -> impl Iterator<Item = (&Optimizer, &Vec<Rate>, bool)> {
        let with_rates = move |optimizer| rates.iter().map(move |rates| (optimizer, rates));
        let both = |(optimizer, rates)| [(optimizer, rates, true), (optimizer, rates, false)];
        Optimizer::EXAMPLES.iter().flat_map(with_rates).flat_map(both)
    }

    #[test]
    fn what_is_no_weight_decays_only_where_all_does() {
        let sgd = Sgd { learning_rate: 0.5, weight_decay: 0.5, ..Sgd::PLAIN };
        for (decay, expected) in [(Decay::All, [1.5, 1.5]), (Decay::Weights, [1.5, 2.0])] {
            let step = Optimizer { decay, ..sgd.into() }.at(1, 0);
            let moved = [true, false].map(|is_weight| {
                let mut w = [2.0];
                step.apply(is_weight, 1.0, &mut w, &[0.0], Planes::default());
                w[0]
            });
            assert_eq!(moved, expected, "{decay:?}");
        }
    }

    #[test]
    fn rates_take_the_place_of_the_optimizers_own() {
        let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, ..Sgd::PLAIN };
        let rate = Rate { learning_rate: 0.2, momentum: Some(0.5) };
        let scheduled = Optimizer { rates: vec![rate; 2], ..sgd.into() };
        let expected = Optimizer::from(Sgd { learning_rate: 0.2, momentum: 0.5, ..Sgd::PLAIN });
        assert_eq!(scheduled.at(7, 1), expected.at(1, 0));
        assert_eq!(Optimizer { rates: vec![rate; 2], ..Sgd::PLAIN.into() }.state(), ["velocity"]);
    }

    #[test]
    fn settings_and_rates_are_held_by_their_optimizer() {
        let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, ..Sgd::PLAIN };
        let rate = |learning_rate, momentum| Rate { learning_rate, momentum };
        let with_rates = |rates| Optimizer { rates, ..sgd.into() };
        assert_eq!(with_rates(vec![rate(0.0, Some(0.0)); 3]).check(3), Ok(()));
        for (optimizer, named) in [
            (Sgd { momentum: 1.0, ..sgd }.into(), "momentum is 1"),
            (Adam { beta2: 1.0, ..Adam::default() }.into(), "beta2 is 1"),
            (AdamW { weight_decay: -1.0, ..AdamW::default() }.into(), "weight decay is -1"),
            (Optimizer { clip_norm: Some(0.0), ..sgd.into() }, "clip norm is 0; it must be a finite number above 0"),
            (Optimizer { averaging: Some(Averaging::Ema(Ema { decay: 1.0 })), ..sgd.into() }, "decay is 1"),
            (with_rates(vec![rate(0.1, None); 2]), "2 rates were given for 3 steps"),
            (with_rates(vec![rate(0.1, None), rate(f32::NAN, None), rate(0.1, None)]), "a step's learning rate is NaN"),
            (with_rates(vec![rate(0.1, Some(1.0)); 3]), "a step's momentum is 1; it must be at least 0 and below 1"),
        ] {
            let error = optimizer.check(3).unwrap_err();
            assert!(error.code == Code::InvalidArgument && error.message.contains(named), "{error}");
        }
    }
}
