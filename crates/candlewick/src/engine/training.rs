//! What a training is, and what it goes on from.

use super::input;
use crate::augmentations::Augment;
use crate::dataset::Dataset;
use crate::error::{Code, Error, Result};
use crate::losses::Loss;
use crate::network::Network;
use crate::normalization::Normalization;
use crate::optimizers::{MOST_STATE, Optimizer, State};

/// Steps over images of a dataset, a batch at a time.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    /// The images.
    pub dataset: &'a Dataset,
    /// Those to train on, by index, one batch after the other.
    pub order: &'a [u32],
    /// Images of a batch; the last may have fewer.
    pub batch_size: usize,
    /// What is made small.
    pub loss: &'a Loss,
    /// How. Its rates, if there are any, are one for each batch of the order.
    pub optimizer: &'a Optimizer,
    /// How images are changed before they are trained on; what an image becomes does not depend on its place.
    pub augment: Option<&'a Augment>,
    /// Those that images are mixed with, if at all, by index: all of the training, where the order is of a part.
    pub partners: &'a [u32],
}

impl<'a> Training<'a> {
    /// The batches after the first `done` images, each with its number; while one is worked on, the next is read, where it is in a file.
    pub fn batches(&self, done: u64) -> impl Iterator<Item = (usize, &'a [u32])> + use<'a> {
        let first = (done as usize).div_ceil(self.batch_size);
        let (dataset, batches) = (self.dataset, self.order.chunks(self.batch_size));
        let expect = move |number| dataset.expect(batches.clone().nth(number).unwrap_or_default());
        expect(first);
        self.order.chunks(self.batch_size).enumerate().skip(first).inspect(move |(number, _)| expect(number + 1))
    }

    /// Images of the largest batch.
    pub fn largest(&self) -> usize {
        self.batch_size.min(self.order.len())
    }

    /// Whether so many images are whole batches of this training.
    ///
    /// # Errors
    /// `InvalidArgument`.
    pub(super) fn check_done(&self, done: u64) -> Result<()> {
        let all = self.order.len() as u64;
        if done == all || (done < all && done.is_multiple_of(self.batch_size as u64)) {
            return Ok(());
        }
        let message = format!(
            "{done} images were trained on before, which are no whole batches of {} out of {all}; go on where the training was left",
            self.batch_size
        );
        Err(Error::new(Code::InvalidArgument, message))
    }
}

/// All that training goes on from, beside the network itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The parameters that steps go on from, end to end in the network's order; not their average.
    pub parameters: Vec<f32>,
    /// Their average, where the optimiser keeps one.
    pub average: Option<Vec<f32>>,
    /// What else it keeps, numbers for each parameter: velocity, moments.
    pub planes: Vec<Vec<f32>>,
    /// The kind of optimiser whose that is, in the words of its JSON; none before the first step.
    pub kind: Option<String>,
    /// The steps that it has made.
    pub steps: u64,
    /// Batches that the engine was trained on, by which, and by the seed, dropout draws.
    pub batches: u64,
    /// What is random in training follows from this.
    pub seed: u64,
    /// What images go through first.
    pub normalization: Option<Normalization>,
}

impl Snapshot {
    /// Of an engine with these parameters, which has been trained on so many batches with this seed. `flat` makes numbers of what
    /// it keeps a plane in.
    ///
    /// # Errors
    /// Those of `flat`.
    pub(super) fn of<P>(
        state: &State<P>,
        parameters: Vec<f32>,
        normalization: Option<&Normalization>,
        (batches, seed): (u64, u64),
        flat: impl Fn(&P) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        Ok(Self {
            parameters,
            average: state.average().map(&flat).transpose()?,
            planes: state.planes().iter().map(&flat).collect::<Result<_>>()?,
            kind: state.kind().map(str::to_owned),
            steps: state.steps(),
            batches,
            seed,
            normalization: normalization.cloned(),
        })
    }

    /// The state of the optimiser `owner`, for an engine of `network`; `plane` is the inverse of what made numbers of a plane.
    ///
    /// # Errors
    /// `CheckpointInvalid` for what is not of this network, and those of `plane`.
    pub(super) fn state<P>(
        &self,
        network: &Network,
        owner: u64,
        plane: impl Fn(&[f32]) -> Result<P>,
    ) -> Result<State<P>> {
        let kind = self.check(network)?;
        let planes = self.planes.iter().map(|values| plane(values)).collect::<Result<_>>()?;
        let average = self.average.as_ref().map(|values| plane(values)).transpose()?;
        Ok(State::taken_over(planes, average, self.steps, kind, owner))
    }

    /// Whether it can be of this network; the kind of optimiser whose it is.
    ///
    /// # Errors
    /// `CheckpointInvalid`.
    fn check(&self, network: &Network) -> Result<Option<&'static str>> {
        let kind =
            self.kind.as_deref().map(|name| Optimizer::kind_of_name(name).ok_or_else(|| unknown(name))).transpose()?;
        if self.planes.len() > MOST_STATE {
            return Err(unknown(&format!("one of {} numbers a parameter", self.planes.len())));
        }
        let expected = network.parameter_count();
        input::check_normalization(network, self.normalization.as_ref()).map_err(as_checkpoint)?;
        let mut lengths = [&self.parameters].into_iter().chain(&self.average).chain(&self.planes).map(Vec::len);
        match lengths.find(|len| *len != expected) {
            None => Ok(kind),
            Some(len) => {
                let message = format!(
                    "it holds {len} numbers where the network has {expected} parameters; was it saved from another network?"
                );
                Err(Error::new(Code::CheckpointInvalid, message))
            }
        }
    }
}

/// The fault is the file's.
fn as_checkpoint(error: Error) -> Error {
    Error::new(Code::CheckpointInvalid, error.message)
}

fn unknown(kind: &str) -> Error {
    let message = format!("it is of an optimizer that this version of candlewick does not know: {kind}");
    Error::new(Code::CheckpointInvalid, message)
}
