//! Initial parameters: a layer says which of its own are weights, and an initialiser draws them. Biases are zero, as in Gluon.
//! To add an initialiser is to write its file and to follow the compiler through this one.
//!
//! Each weight has a stream of its own of a ChaCha generator, so it depends on the seed, its place in the network and
//! nothing else: not on the machine, not on how other layers are initialised.

mod normal;
mod uniform;
mod xavier;
mod zeros;

use crate::error::{Code, Error, Result};
use crate::layers::Draw;
use crate::memory;
use crate::network::Network;
pub use normal::Normal;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
pub use uniform::Uniform;
pub use xavier::Xavier;
pub use zeros::Zeros;

/// How weights are drawn. As JSON, `{ "kind": "uniform", "scale": 0.07 }` or
/// `{ "kind": "xavier" }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Initializer {
    /// By the number of inputs and outputs.
    Xavier(Xavier),
    /// Within a range.
    Uniform(Uniform),
    /// Around zero.
    Normal(Normal),
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

    /// Draws a weight of these fans, in and out.
    fn fill(&self, weight: &mut [f32], fans: [usize; 2], generator: &mut ChaCha8Rng);
}

impl Initializer {
    /// [`Xavier`]
    pub fn xavier() -> Self {
        Self::Xavier(Xavier {})
    }

    /// [`Uniform`] in ±scale.
    pub fn uniform(scale: f64) -> Self {
        Self::Uniform(Uniform { scale })
    }

    /// [`Normal`] with this standard deviation.
    pub fn normal(scale: f64) -> Self {
        Self::Normal(Normal { scale })
    }

    /// [`Zeros`]
    pub fn zeros() -> Self {
        Self::Zeros(Zeros {})
    }

    fn distribution(&self) -> &dyn Distribution {
        match self {
            Self::Xavier(xavier) => xavier,
            Self::Uniform(uniform) => uniform,
            Self::Normal(normal) => normal,
            Self::Zeros(zeros) => zeros,
        }
    }

    /// All parameters of `network`, end to end.
    ///
    /// # Errors
    /// `InvalidArgument` for a scale that is negative or not finite, `OutOfMemory`.
    pub fn parameters(&self, network: &Network, seed: u64) -> Result<Vec<f32>> {
        let distribution = self.distribution();
        distribution.check()?;
        let mut parameters = memory::zeros(network.parameter_count())?;
        for (stream, parameter) in network.parameters.iter().enumerate() {
            let values = &mut parameters[parameter.range.clone()];
            match parameter.draw {
                Draw::Constant(value) => values.fill(value),
                Draw::Weight { fan_in, fan_out } => {
                    let mut generator = ChaCha8Rng::seed_from_u64(seed);
                    generator.set_stream(stream as u64);
                    distribution.fill(values, [fan_in, fan_out], &mut generator);
                }
            }
        }
        Ok(parameters)
    }
}

fn check_scale(scale: f64) -> Result<()> {
    if scale.is_finite() && scale >= 0.0 {
        return Ok(());
    }
    let message = format!("the scale of an initialiser is {scale}; it must be a finite number of at least 0");
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
        // A uniform distribution in ±b has deviation b / √3.
        let xavier = |fans: f64| (6.0 / fans).sqrt() / 3f64.sqrt();
        for (init, of_conv, of_dense) in [
            (Initializer::xavier(), xavier(25.0 * 23.0), xavier(820.0)),
            (Initializer::uniform(0.07), 0.07 / 3f64.sqrt(), 0.07 / 3f64.sqrt()),
            (Initializer::normal(0.01), 0.01, 0.01),
            (Initializer::zeros(), 0.0, 0.0),
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
        ] {
            let found = within(init, bound);
            assert!((found - expected).abs() < 0.01, "{init:?}: {found} within {bound}, expected {expected}");
        }
    }

    #[test]
    fn a_scale_must_be_a_number() {
        for scale in [f64::NAN, -1.0, f64::INFINITY] {
            for init in [Initializer::normal(scale), Initializer::uniform(scale)] {
                let error = init.parameters(&network(), 1).unwrap_err();
                assert_eq!(error.code, Code::InvalidArgument);
                assert!(error.message.contains(&format!("is {scale}; it must be")), "{error}");
            }
        }
        assert!(Initializer::normal(0.0).parameters(&network(), 1).unwrap().iter().all(|w| *w == 0.0));
    }

    #[test]
    fn json_is_what_javascript_writes() {
        for (text, init) in [
            (r#"{"kind":"xavier"}"#, Initializer::xavier()),
            (r#"{"kind":"uniform","scale":0.07}"#, Initializer::uniform(0.07)),
            (r#"{"kind":"normal","scale":0.01}"#, Initializer::normal(0.01)),
            (r#"{"kind":"zeros"}"#, Initializer::zeros()),
        ] {
            assert_eq!(serde_json::from_str::<Initializer>(text).unwrap(), init);
            assert_eq!(serde_json::to_string(&init).unwrap(), text);
        }
        for (text, named) in [
            (r#"{"kind":"xavier","scale":1}"#, "scale"),
            (r#"{"kind":"zeros","scale":1}"#, "scale"),
            (r#"{"kind":"uniform"}"#, "scale"),
            (r#"{"kind":"normal","scale":1,"sigma":1}"#, "sigma"),
            (r#"{"kind":"he"}"#, "he"),
        ] {
            let error = serde_json::from_str::<Initializer>(text).unwrap_err().to_string();
            assert!(error.contains(&format!("`{named}`")), "{error}");
        }
    }
}
