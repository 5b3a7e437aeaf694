//! Initial parameters. Weights are drawn, biases are zero, as in Gluon.
//!
//! Each weight has a stream of its own of a ChaCha generator, so it depends on the seed, its place in the network and
//! nothing else: not on the machine, not on how other layers are initialised.

use crate::error::{Code, Error, Result};
use crate::memory;
use crate::network::Network;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How weights are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in ±√(6 / (fan in + fan out)): Gluon's `Xavier()`, uniform, average, magnitude 3. A fan is channels (or
    /// units) times kernel area. Glorot and Bengio, 2010, equation 16.
    Xavier,
    /// Uniform in ±scale.
    Uniform(f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// Zero.
    Zeros,
}

impl Init {
    /// All parameters of `network`, end to end.
    ///
    /// # Errors
    /// `InvalidArgument` for a scale or deviation that is negative or not finite, `OutOfMemory`.
    pub fn parameters(self, network: &Network, seed: u64) -> Result<Vec<f32>> {
        self.validate()?;
        let mut parameters = memory::zeros(network.parameter_count())?;
        for (stream, parameter) in network.parameters.iter().enumerate() {
            if parameter.shape.len() > 1 {
                let mut generator = ChaCha8Rng::seed_from_u64(seed);
                generator.set_stream(stream as u64);
                self.fill(&mut parameters[parameter.range.clone()], &parameter.shape, &mut generator);
            }
        }
        Ok(parameters)
    }

    fn validate(self) -> Result<()> {
        match self {
            Init::Uniform(x) | Init::Normal(x) if !(x.is_finite() && x >= 0.0) => Err(Error::new(
                Code::InvalidArgument,
                format!("the scale of an initialiser is {x}; it must be a finite number of at least 0"),
            )),
            _ => Ok(()),
        }
    }

    fn fill(self, weight: &mut [f32], shape: &[usize], generator: &mut impl Rng) {
        let mut uniform = |bound: f64, weight: &mut [f32]| {
            weight.fill_with(|| ((2.0 * generator.random::<f64>() - 1.0) * bound) as f32);
        };
        match self {
            Init::Xavier => {
                let kernel_area: usize = shape[2..].iter().product();
                let fans = kernel_area * (shape[0] + shape[1]);
                uniform(libm::sqrt(6.0 / fans as f64), weight);
            }
            Init::Uniform(scale) => uniform(scale, weight),
            Init::Normal(sigma) => weight.fill_with(|| (sigma * standard_normal(generator)) as f32),
            Init::Zeros => weight.fill(0.0),
        }
    }
}

/// Marsaglia's polar method, on libm's logarithm, which is the same on every platform.
fn standard_normal(generator: &mut impl Rng) -> f64 {
    loop {
        let x = 2.0 * generator.random::<f64>() - 1.0;
        let y = 2.0 * generator.random::<f64>() - 1.0;
        let s = x * x + y * y;
        if s > 0.0 && s < 1.0 {
            return x * libm::sqrt(-2.0 * libm::log(s) / s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Conv2d, Dense, Layer};

    fn network() -> Network {
        let conv = Layer::Conv2d(Conv2d {
            channels: 20,
            kernel_size: [5, 5],
            strides: [1, 1],
            padding: [0, 0],
            activation: None,
        });
        Network::new(&[conv, Layer::Dense(Dense { units: 100, activation: None })], [3, 10, 10]).unwrap()
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
            (Init::Xavier, xavier(25.0 * 23.0), xavier(820.0)),
            (Init::Uniform(0.07), 0.07 / 3f64.sqrt(), 0.07 / 3f64.sqrt()),
            (Init::Normal(0.01), 0.01, 0.01),
            (Init::Zeros, 0.0, 0.0),
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
        let draw = |seed| Init::Xavier.parameters(&network, seed).unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let uniform = Init::Uniform(1.0).parameters(&network, 1).unwrap();
        assert_ne!(uniform[..1500], uniform[1520..3020], "each weight has a stream of its own");
    }

    #[test]
    fn a_weight_does_not_depend_on_the_layers_before() {
        let dense = |units| Layer::Dense(Dense { units, activation: None });
        let second = |units| {
            let network = Network::new(&[dense(units), dense(3)], [1, 1, 2]).unwrap();
            let range = network.parameters[2].range.clone();
            Init::Uniform(1.0).parameters(&network, 1).unwrap()[range].to_vec()
        };
        assert_eq!(second(4), second(9)[..12]);
    }

    #[test]
    fn draws_have_the_shape_of_their_distribution() {
        let within = |init: Init, bound: f32| {
            let weights = init.parameters(&network(), 1).unwrap().split_off(1520);
            weights.iter().filter(|w| w.abs() <= bound).count() as f64 / weights.len() as f64
        };
        for (init, bound, expected) in [
            (Init::Uniform(0.5), 0.5, 1.0),
            (Init::Uniform(0.5), 0.25, 0.5),
            (Init::Xavier, (6f32 / 820.0).sqrt(), 1.0),
            (Init::Normal(0.5), 0.5, 0.6827),
            (Init::Normal(0.5), 1.0, 0.9545),
        ] {
            let found = within(init, bound);
            assert!((found - expected).abs() < 0.01, "{init:?}: {found} within {bound}, expected {expected}");
        }
    }

    #[test]
    fn a_scale_must_be_a_number() {
        for scale in [f64::NAN, -1.0, f64::INFINITY] {
            for init in [Init::Normal(scale), Init::Uniform(scale)] {
                let error = init.parameters(&network(), 1).unwrap_err();
                assert_eq!(error.code, Code::InvalidArgument);
                assert!(error.message.contains(&format!("is {scale}; it must be")), "{error}");
            }
        }
        assert!(Init::Normal(0.0).parameters(&network(), 1).unwrap().iter().all(|w| *w == 0.0));
    }
}
