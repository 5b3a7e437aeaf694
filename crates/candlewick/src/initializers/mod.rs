//! Initial parameters: a layer says which of its own are weights, and an initialiser draws them: the layer's own, or else the
//! network's. Biases are zero, as in Gluon, unless their layer says otherwise.
//! To add an initialiser is to write its file and to follow the compiler through this one.
//!
//! Each weight has a stream of its own of a ChaCha generator, so it depends on the seed, its place in the network and
//! nothing else: not on the machine, not on how other layers are initialised.

mod constant;
mod he;
mod normal;
mod orthogonal;
mod uniform;
mod xavier;
mod zeros;

use crate::error::{Code, Error, Result};
use crate::layers::Draw;
use crate::memory;
use crate::network::{Network, Parameter};
pub use constant::Constant;
pub use he::{HeNormal, HeUniform};
pub use normal::Normal;
pub use orthogonal::Orthogonal;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
pub use uniform::Uniform;
pub use xavier::{Curve, Factor, Xavier};
pub use zeros::Zeros;

/// How weights are drawn. As JSON, `{ "kind": "uniform", "scale": 0.07 }` or
/// `{ "kind": "xavier" }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Initializer {
    /// By the number of inputs and outputs.
    Xavier(Xavier),
    /// By the number of inputs, around zero.
    HeNormal(HeNormal),
    /// By the number of inputs, within a range.
    HeUniform(HeUniform),
    /// At right angles.
    Orthogonal(Orthogonal),
    /// Within a range.
    Uniform(Uniform),
    /// Around zero.
    Normal(Normal),
    /// All alike.
    Constant(Constant),
    /// Zero.
    Zeros(Zeros),
}

/// What an initialiser does.
trait Distribution {
    /// # Errors
    /// `InvalidArgument` names the setting that makes no sense.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Draws a weight of these sizes.
    ///
    /// # Errors
    /// `OutOfMemory`.
    fn fill(&self, weight: &mut [f32], sizes: Sizes, generator: &mut ChaCha8Rng) -> Result<()>;
}

/// What a distribution may go by.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    fan_in: usize,
    fan_out: usize,
    /// The first axis of the weight.
    outputs: usize,
}

impl Initializer {
    /// [`Xavier`] with its defaults.
    pub fn xavier() -> Self {
        Self::Xavier(Xavier::default())
    }

    /// [`HeNormal`]
    pub fn he_normal() -> Self {
        Self::HeNormal(HeNormal {})
    }

    /// [`HeUniform`]
    pub fn he_uniform() -> Self {
        Self::HeUniform(HeUniform {})
    }

    /// [`Orthogonal`] with this gain.
    pub fn orthogonal(gain: f64) -> Self {
        Self::Orthogonal(Orthogonal { gain })
    }

    /// [`Uniform`] in ±scale.
    pub fn uniform(scale: f64) -> Self {
        Self::Uniform(Uniform { scale })
    }

    /// [`Normal`] with this standard deviation.
    pub fn normal(scale: f64) -> Self {
        Self::Normal(Normal { scale })
    }

    /// [`Constant`]
    pub fn constant(value: f64) -> Self {
        Self::Constant(Constant { value })
    }

    /// [`Zeros`]
    pub fn zeros() -> Self {
        Self::Zeros(Zeros {})
    }

    fn distribution(&self) -> &dyn Distribution {
        match self {
            Self::Xavier(xavier) => xavier,
            Self::HeNormal(he) => he,
            Self::HeUniform(he) => he,
            Self::Orthogonal(orthogonal) => orthogonal,
            Self::Uniform(uniform) => uniform,
            Self::Normal(normal) => normal,
            Self::Constant(constant) => constant,
            Self::Zeros(zeros) => zeros,
        }
    }

    /// Whether its settings make sense.
    ///
    /// # Errors
    /// `InvalidArgument` names the one that does not.
    pub(crate) fn check(&self) -> Result<()> {
        self.distribution().check()
    }

    /// Whether it may draw a bias, too: one that goes by fans may not, as in PyTorch and Gluon.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub(crate) fn check_bias(&self) -> Result<()> {
        let kind = match self {
            Self::Uniform(_) | Self::Normal(_) | Self::Constant(_) | Self::Zeros(_) => return self.check(),
            Self::Xavier(_) => "xavier",
            Self::HeNormal(_) => "heNormal",
            Self::HeUniform(_) => "heUniform",
            Self::Orthogonal(_) => "orthogonal",
        };
        let message = format!(
            "{kind} goes by inputs and outputs, which a bias has none of; give it one of uniform, normal, constant and zeros"
        );
        Err(Error::new(Code::InvalidArgument, message))
    }

    /// All parameters of `network`, end to end.
    ///
    /// # Errors
    /// `InvalidArgument` for a setting that makes no sense, `OutOfMemory`.
    pub fn parameters(&self, network: &Network, seed: u64) -> Result<Vec<f32>> {
        self.check()?;
        let mut parameters = memory::zeros(network.parameter_count())?;
        for (stream, parameter) in network.parameters.iter().enumerate() {
            let mut generator = ChaCha8Rng::seed_from_u64(seed);
            generator.set_stream(stream as u64);
            self.draw(parameter, &mut generator, &mut parameters[parameter.range.clone()])?;
        }
        Ok(parameters)
    }

    /// One parameter, by its layer's own initialiser where that has one.
    fn draw(&self, parameter: &Parameter, generator: &mut ChaCha8Rng, values: &mut [f32]) -> Result<()> {
        let outputs = parameter.shape[0];
        match parameter.draw {
            Draw::Constant(value) => values.fill(value),
            Draw::Weight { fan_in, fan_out, init } => {
                init.as_ref().unwrap_or(self).distribution().fill(
                    values,
                    Sizes { fan_in, fan_out, outputs },
                    generator,
                )?;
            }
            Draw::Bias(init) => {
                init.distribution().fill(values, Sizes { fan_in: 1, fan_out: 1, outputs }, generator)?;
            }
        }
        Ok(())
    }
}

fn check_scale(what: &str, scale: f64) -> Result<()> {
    if scale.is_finite() && scale >= 0.0 {
        return Ok(());
    }
    let message = format!("the {what} of an initialiser is {scale}; it must be a finite number of at least 0");
    Err(Error::new(Code::InvalidArgument, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Conv2d, Dense, Layer};

    fn network() -> Network {
        let conv = Layer::Conv2d(Conv2d::new(20, [5, 5]));
        Network::new(&[conv, Layer::Dense(Dense::new(100))], [3, 10, 10]).unwrap()
    }

    fn mean_and_deviation(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        (mean, (values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn weights_follow_their_distribution_and_biases_are_zero() {
        let network = network();
        let (conv, bias, dense) = (0..1500, 1500..1520, 1520..73_520);
        let gluon = |distribution, factor, magnitude| Initializer::Xavier(Xavier { distribution, factor, magnitude });
        // A uniform distribution in ±b has deviation b / √3.
        let xavier = |fans: f64| (6.0 / fans).sqrt() / 3f64.sqrt();
        for (init, of_conv, of_dense) in [
            (Initializer::xavier(), xavier(25.0 * 23.0), xavier(820.0)),
            (Initializer::uniform(0.07), 0.07 / 3f64.sqrt(), 0.07 / 3f64.sqrt()),
            (Initializer::normal(0.01), 0.01, 0.01),
            (Initializer::zeros(), 0.0, 0.0),
            (gluon(Curve::Gaussian, Factor::Avg, 3.0), (6f64 / 575.0).sqrt(), (6f64 / 820.0).sqrt()),
            (gluon(Curve::Uniform, Factor::In, 2.0), (2f64 / 75.0 / 3.0).sqrt(), (2f64 / 720.0 / 3.0).sqrt()),
            (gluon(Curve::Gaussian, Factor::Out, 5.0), (5f64 / 500.0).sqrt(), (5f64 / 100.0).sqrt()),
            (Initializer::he_normal(), (2f64 / 75.0).sqrt(), (2f64 / 720.0).sqrt()),
            (Initializer::he_uniform(), (2f64 / 75.0).sqrt(), (2f64 / 720.0).sqrt()),
            (Initializer::orthogonal(2.0), 2.0 / 75f64.sqrt(), 2.0 / 720f64.sqrt()),
        ] {
            let parameters = init.parameters(&network, 1).unwrap();
            assert!(parameters[bias.clone()].iter().all(|b| *b == 0.0));
            for (range, expected) in [(conv.clone(), of_conv), (dense.clone(), of_dense)] {
                let (mean, deviation) = mean_and_deviation(&parameters[range]);
                assert!(mean.abs() <= 0.1 * expected, "{init:?}: mean {mean}");
                assert!((deviation - expected).abs() <= 0.05 * expected, "{init:?}: {deviation}, expected {expected}");
            }
        }
    }

    #[test]
    fn a_seed_decides_all() {
        let network = network();
        let draw = |seed| Initializer::xavier().parameters(&network, seed).unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let uniform = Initializer::uniform(1.0).parameters(&network, 1).unwrap();
        assert_ne!(uniform[..1500], uniform[1520..3020], "each weight has a stream of its own");
    }

    #[test]
    fn what_is_no_weight_begins_as_its_layer_says() {
        let mut network = network();
        network.parameters[1].draw = Draw::Constant(0.5);
        let parameters = Initializer::zeros().parameters(&network, 1).unwrap();
        assert!(parameters[1500..1520].iter().all(|scale| *scale == 0.5));
        assert!(parameters[..1500].iter().chain(&parameters[1520..]).all(|other| *other == 0.0));
    }

    #[test]
    fn a_weight_does_not_depend_on_the_layers_before() {
        let dense = |units| Layer::Dense(Dense::new(units));
        let second = |units| {
            let network = Network::new(&[dense(units), dense(3)], [1, 1, 2]).unwrap();
            let range = network.parameters[2].range.clone();
            Initializer::uniform(1.0).parameters(&network, 1).unwrap()[range].to_vec()
        };
        assert_eq!(second(4), second(9)[..12]);
    }

    #[test]
    fn draws_have_the_shape_of_their_distribution() {
        let within = |init: Initializer, bound: f32| {
            let weights = init.parameters(&network(), 1).unwrap().split_off(1520);
            weights.iter().filter(|w| w.abs() <= bound).count() as f64 / weights.len() as f64
        };
        for (init, bound, expected) in [
            (Initializer::uniform(0.5), 0.5, 1.0),
            (Initializer::uniform(0.5), 0.25, 0.5),
            (Initializer::xavier(), (6f32 / 820.0).sqrt(), 1.0),
            (Initializer::normal(0.5), 0.5, 0.6827),
            (Initializer::normal(0.5), 1.0, 0.9545),
            (Initializer::he_uniform(), (6f32 / 720.0).sqrt(), 1.0),
            (Initializer::he_uniform(), (6f32 / 720.0).sqrt() / 2.0, 0.5),
            (Initializer::he_normal(), (2f32 / 720.0).sqrt(), 0.6827),
        ] {
            let found = within(init, bound);
            assert!((found - expected).abs() < 0.01, "{init:?}: {found} within {bound}, expected {expected}");
        }
    }

    #[test]
    fn settings_must_be_numbers() {
        for number in [f64::NAN, -1.0, f64::INFINITY] {
            let xavier = Xavier { magnitude: number, ..Xavier::default() };
            for (what, init) in [
                ("scale", Initializer::normal(number)),
                ("scale", Initializer::uniform(number)),
                ("magnitude", Initializer::Xavier(xavier)),
                ("gain", Initializer::orthogonal(number)),
            ] {
                let error = init.parameters(&network(), 1).unwrap_err();
                assert_eq!(error.code, Code::InvalidArgument);
                assert!(
                    error.message.contains(&format!("the {what} of an initialiser is {number}; it must be")),
                    "{error}"
                );
            }
        }
        for value in [f64::NAN, -1e39, f64::INFINITY] {
            let error = Initializer::constant(value).parameters(&network(), 1).unwrap_err();
            assert!(error.message.contains(&format!("the value of an initialiser is {value}; it must be")), "{error}");
        }
        assert!(Initializer::normal(0.0).parameters(&network(), 1).unwrap().iter().all(|w| *w == 0.0));
    }

    /// A network whose first layer has these initialisers of its own.
    fn with_own(kernel: Option<Initializer>, bias: Option<Initializer>) -> Network {
        let mut network = network();
        let Draw::Weight { init, .. } = &mut network.parameters[0].draw else { unreachable!() };
        *init = kernel;
        network.parameters[1].draw = Draw::bias(bias);
        network
    }

    #[test]
    fn a_layer_may_have_initialisers_of_its_own() {
        let [constant, uniform] = [Initializer::constant(-0.5), Initializer::uniform(0.5)];
        let network_s = Initializer::xavier().parameters(&network(), 1).unwrap();
        let parameters = Initializer::xavier().parameters(&with_own(Some(constant), Some(uniform)), 1).unwrap();
        assert!(parameters[..1500].iter().all(|weight| *weight == -0.5));
        assert!(parameters[1500..1520].iter().all(|bias| *bias != 0.0 && bias.abs() <= 0.5));
        assert_eq!(parameters[1520..], network_s[1520..], "other layers are drawn as before");
        let parameters = uniform.parameters(&with_own(None, Some(constant)), 1).unwrap();
        assert_eq!(parameters[..1500], uniform.parameters(&network(), 1).unwrap()[..1500]);
        assert!(parameters[1500..1520].iter().all(|bias| *bias == -0.5));
    }

    #[test]
    fn a_layer_s_initialiser_is_checked_by_the_parameter_s_name() {
        let weight = |init| Draw::Weight { fan_in: 1, fan_out: 1, init: Some(init) };
        for (draw, expected) in [
            (weight(Initializer::normal(-1.0)), "conv0.weight: the scale of an initialiser is -1; it must be"),
            (Draw::Bias(Initializer::constant(f64::NAN)), "conv0.weight: the value of an initialiser is NaN; it must"),
            (Draw::Bias(Initializer::xavier()), "conv0.weight: xavier goes by inputs and outputs, which a bias"),
            (Draw::Bias(Initializer::he_normal()), "conv0.weight: heNormal goes by inputs"),
            (Draw::Bias(Initializer::he_uniform()), "conv0.weight: heUniform goes by inputs"),
            (Draw::Bias(Initializer::orthogonal(1.0)), "conv0.weight: orthogonal goes by inputs"),
        ] {
            let error = draw.check("conv0.weight").unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.starts_with(expected), "{error}");
        }
        for draw in [weight(Initializer::xavier()), Draw::Bias(Initializer::uniform(1.0)), Draw::bias(None)] {
            draw.check("conv0.weight").unwrap();
        }
    }

    #[test]
    fn json_is_what_javascript_writes() {
        for (text, init) in [
            (r#"{"kind":"xavier","distribution":"uniform","factor":"avg","magnitude":3.0}"#, Initializer::xavier()),
            (
                r#"{"kind":"xavier","distribution":"gaussian","factor":"out","magnitude":2.0}"#,
                Initializer::Xavier(Xavier { distribution: Curve::Gaussian, factor: Factor::Out, magnitude: 2.0 }),
            ),
            (r#"{"kind":"heNormal"}"#, Initializer::he_normal()),
            (r#"{"kind":"heUniform"}"#, Initializer::he_uniform()),
            (r#"{"kind":"orthogonal","gain":2.0}"#, Initializer::orthogonal(2.0)),
            (r#"{"kind":"uniform","scale":0.07}"#, Initializer::uniform(0.07)),
            (r#"{"kind":"normal","scale":0.01}"#, Initializer::normal(0.01)),
            (r#"{"kind":"constant","value":-1.5}"#, Initializer::constant(-1.5)),
            (r#"{"kind":"zeros"}"#, Initializer::zeros()),
        ] {
            assert_eq!(serde_json::from_str::<Initializer>(text).unwrap(), init);
            assert_eq!(serde_json::to_string(&init).unwrap(), text);
        }
        for (text, init) in [
            (r#"{ "kind": "xavier" }"#, Initializer::xavier()),
            (r#"{ "kind": "orthogonal" }"#, Initializer::orthogonal(1.0)),
            (r#"{ "kind": "constant" }"#, Initializer::constant(0.0)),
        ] {
            assert_eq!(serde_json::from_str::<Initializer>(text).unwrap(), init);
        }
        for (text, named) in [
            (r#"{"kind":"xavier","scale":1}"#, "scale"),
            (r#"{"kind":"zeros","scale":1}"#, "scale"),
            (r#"{"kind":"uniform"}"#, "scale"),
            (r#"{"kind":"normal","scale":1,"sigma":1}"#, "sigma"),
            (r#"{"kind":"xavier","factor":"fan"}"#, "fan"),
            (r#"{"kind":"heNormal","scale":1}"#, "scale"),
            (r#"{"kind":"he"}"#, "he"),
        ] {
            let error = serde_json::from_str::<Initializer>(text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{named}`")), "{error}");
        }
    }
}
