//! A training that has come to a loss that is not finite: where that begins, in words.

use super::candle::first_broken_layer;
use super::images::Images;
use crate::error::{Code, Error};
use crate::network::Network;
use crate::normalization::Normalization;
use crate::optimizers::Rate;
use crate::random::Chance;

/// When a step leaves the parameters as they are.
#[derive(Clone, Copy, PartialEq)]
pub enum Unless {
    /// Whatever comes of it.
    Never,
    /// Where the loss is not finite.
    Diverged,
}

/// A step of a training whose loss is not finite.
pub struct Divergence<'a> {
    /// The sum of its images' losses.
    pub loss: f64,
    /// Its number in the epoch, from 1.
    pub step: usize,
    pub rate: Rate,
    /// What the images go through first.
    pub normalization: Option<&'a Normalization>,
}

impl Divergence<'_> {
    /// The error, with the layer where numbers cease to be finite: of these parameters, or else of what comes out of it for the
    /// batch. Looking for it takes as long as a step of the reference engine, once.
    pub fn error(&self, network: &Network, parameters: &[f32], batch: (&Images<'_>, usize), chance: Chance) -> Error {
        let found = broken_parameter(network, parameters)
            .map(|name| format!("{name} holds numbers that are not finite"))
            .or_else(|| {
                // Where there is no memory for a closer look, nothing is said of it.
                let layer =
                    first_broken_layer(network, parameters, self.normalization, batch, chance).ok().flatten()?;
                Some(format!("the first numbers that are not finite come out of {layer}"))
            });
        let Self { loss, step, rate, .. } = self;
        let (loss, rate) = (if loss.is_nan() { "NaN" } else { "infinite" }, rate.learning_rate);
        let found = found.map_or(String::new(), |found| format!(": {found}"));
        let message = format!(
            "the loss of step {step} is {loss}, at a learning rate of {rate:?}{found}; a learning rate that is too high is the most \
             likely cause: try a lower one, or the optimizer's clipNorm"
        );
        Error::new(Code::Diverged, message)
    }
}

/// The first parameter that steps move and that is not finite throughout.
fn broken_parameter<'a>(network: &'a Network, parameters: &[f32]) -> Option<&'a str> {
    let is_broken = |range: std::ops::Range<usize>| !parameters[range].iter().all(|value| value.is_finite());
    let mut moved = network.parameters.iter().filter(|p| p.trainable);
    moved.find(|p| is_broken(p.range.clone())).map(|p| p.name.as_str())
}
