//! The CPU engine: sixteen images at a time, one to a SIMD lane.
//!
//! ```text
//!   batch ──► chunks ──► tiles of 16 images ──► pack ──► forward ──► loss ──► backward ──┬─► sums of the chunk (conv2d)
//!                                                                                        └─► record of the tile (dense)
//!                                                                                                    │
//!   parameters ◄── SGD step ◄── gradient, part by part, from all chunks and records in order ◄───────┘
//! ```
//!
//! Threads take chunks, and then parts, as they come free. How a batch is cut into chunks, and the order of every sum, depend
//! on the batch alone, so the number of threads changes nothing in the result, not even the last bit.

mod pack;
mod pool;
mod program;
mod threads;
mod tile;
mod update;

use super::images::{Images, with_images};
use super::input::{check_images, check_parameters, check_range, check_step, check_training};
use super::{Engine, Progress, VelocityOwner};
use crate::checkpoint;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::memory::{self, check_room};
use crate::metrics::Metrics;
use crate::network::Network;
use crate::optimizer::Sgd;
use crate::simd::InstructionSet;
use candle_core::{Device, Tensor};
use pack::{Pack, Rows};
use program::Program;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use threads::{ROUND, Threads};
use tile::{Predict, Purpose, Score, Scratch, Train};
use update::{Part, Update, Weights, for_each_part, parts};

/// The CPU engine. It takes memory and threads when it has work for them.
pub struct LanesEngine {
    network: Network,
    program: Program,
    /// What the optimiser's step is divided into.
    parts: Arc<[Part]>,
    set: InstructionSet,
    threads: Threads,
    parameters: Vec<f32>,
    /// Of the last step; empty before the first.
    gradient: Vec<f32>,
    /// Empty until an optimiser has momentum.
    velocity: Vec<f32>,
    velocity_owner: VelocityOwner,
}

impl LanesEngine {
    /// Runs `network` on `threads` threads, of which a batch can use sixteen; all processors' for `None`. All parameters are
    /// zero until they are set.
    ///
    /// # Errors
    /// `InvalidArgument` for no threads, and as [`InstructionSet::chosen`]; `OutOfMemory` for a network that cannot even answer.
    pub fn new(network: Network, threads: Option<usize>) -> Result<Self> {
        Self::on(InstructionSet::chosen()?, network, threads)
    }

    /// As [`LanesEngine::new`], on a given instruction set.
    ///
    /// # Errors
    /// As [`LanesEngine::new`].
    pub fn on(set: InstructionSet, network: Network, threads: Option<usize>) -> Result<Self> {
        let program = Program::new(&network);
        let parameters = network.parameter_count().saturating_mul(size_of::<f32>());
        check_room(Scratch::<f32>::needs(&program).saturating_add(parameters))?;
        let parts = parts(&program).into();
        Ok(Self {
            parameters: memory::zeros(network.parameter_count())?,
            gradient: Vec::new(),
            velocity: Vec::new(),
            velocity_owner: VelocityOwner::default(),
            threads: Threads::new(threads)?,
            network,
            program,
            parts,
            set,
        })
    }

    /// All that steps on batches of up to so many images need, before the first of them changes anything.
    fn prepare(&mut self, sgd: &Sgd, images: usize) -> Result<()> {
        self.threads.prepare(&self.program, Purpose::Train, images)?;
        let count = self.network.parameter_count();
        if self.gradient.is_empty() {
            self.gradient = memory::zeros(count)?;
        }
        if sgd.momentum > 0.0 && self.velocity.is_empty() {
            self.velocity = memory::zeros(count)?;
        }
        if self.velocity_owner.is_another() {
            self.reset_optimizer()?;
            self.velocity_owner.hand_over();
        }
        Ok(())
    }

    /// A step, within the leased threads.
    fn step_on(&mut self, images: &Images<'_>, labels: &[u32], sgd: &Sgd) -> Metrics {
        let mut metrics = Metrics::default();
        for round in rounds(labels.len()) {
            let (is_first, is_last) = (round.start == 0, round.end == labels.len());
            metrics += self.backward(images, labels, round);
            self.update(is_first, is_last.then_some(sgd));
        }
        metrics
    }

    /// Fills the chunks from a round of a batch.
    fn backward(&mut self, images: &Images<'_>, labels: &[u32], round: Range<usize>) -> Metrics {
        let scale = 1.0 / labels.len() as f32;
        let (set, program, parameters) = (self.set, &self.program, &self.parameters);
        self.threads.for_each_tile(round, |scratch, chunk, range| {
            let tile = scratch.input(program, Purpose::Train);
            set.run(Pack { images, range: range.clone(), tile });
            let (labels, into) = (&labels[range], chunk.accumulators(program));
            let metrics = set.run(Train { program, parameters, labels, scale, scratch, into });
            chunk.metrics += metrics;
        })
    }

    /// From the chunks to the gradient, and after a batch's last round to the parameters.
    fn update(&mut self, is_first: bool, sgd: Option<&Sgd>) {
        let (set, program, chunks) = (self.set, &self.program, self.threads.chunks());
        let weights =
            Weights { parameters: &mut self.parameters, gradient: &mut self.gradient, velocity: &mut self.velocity };
        for_each_part(&self.parts, weights, &|part, weights| {
            set.run(Update { program, part, chunks, is_first, sgd, weights });
        });
    }
}

impl Engine for LanesEngine {
    fn network(&self) -> &Network {
        &self.network
    }

    fn size(&self) -> usize {
        let vectors = [&self.parameters, &self.gradient, &self.velocity];
        self.threads.size() + vectors.map(|vector| size_of_val(&vector[..])).iter().sum::<usize>()
    }

    fn step(&mut self, images: &Tensor, labels: &[u32], sgd: &Sgd) -> Result<Metrics> {
        let sgd = check_step(&self.network, images, labels, sgd)?;
        let threads = self.threads.lease()?;
        with_images(images, |images| {
            self.prepare(&sgd, labels.len())?;
            Ok(threads.install(|| self.step_on(&images, labels, &sgd)))
        })?
    }

    fn train(
        &mut self,
        dataset: &Dataset,
        order: &[u32],
        batch_size: usize,
        sgd: &Sgd,
        progress: &Progress,
    ) -> Result<Metrics> {
        let sgd = check_training(&self.network, dataset, order, batch_size, sgd, progress)?;
        if order.is_empty() {
            return Ok(Metrics::default());
        }
        let largest = batch_size.min(order.len());
        let (mut metrics, mut labels) = (Metrics::default(), memory::room(largest)?);
        let threads = self.threads.lease()?;
        self.prepare(&sgd, largest)?;
        threads.install(|| {
            for indices in order.chunks(batch_size) {
                labels.clear();
                labels.extend(indices.iter().map(|i| u32::from(dataset.labels()[*i as usize])));
                metrics += self.step_on(&Images::Indexed(dataset.pixels(), indices), &labels, &sgd);
                progress.advance(indices.len())?;
            }
            Ok(metrics)
        })
    }

    fn evaluate(&mut self, dataset: &Dataset, range: Range<usize>, progress: &Progress) -> Result<Metrics> {
        let indices = self.check(dataset, range)?;
        progress.check()?;
        self.threads.prepare(&self.program, Purpose::Answer, indices.len())?;
        let (set, program, parameters) = (self.set, &self.program, &self.parameters);
        let (images, mut metrics) = (Images::Indexed(dataset.pixels(), &indices), Metrics::default());
        let labels = memory::collect(indices.iter().map(|i| u32::from(dataset.labels()[*i as usize])))?;
        self.threads.lease()?.install(|| {
            for round in rounds(indices.len()) {
                let done = round.len();
                metrics += self.threads.for_each_tile(round, |scratch, chunk, range| {
                    let tile = scratch.input(program, Purpose::Answer);
                    set.run(Pack { images: &images, range: range.clone(), tile });
                    chunk.metrics += set.run(Score { program, parameters, labels: &labels[range], scratch });
                });
                progress.advance(done)?;
            }
            Ok(metrics)
        })
    }

    fn check(&self, dataset: &Dataset, range: Range<usize>) -> Result<Vec<u32>> {
        check_range(&self.network, dataset, range)
    }

    fn predict(&mut self, images: &Tensor) -> Result<Tensor> {
        let n = check_images(&self.network, images)?;
        let classes = self.network.classes();
        let mut logits = memory::zeros(n.saturating_mul(classes))?;
        self.threads.prepare(&self.program, Purpose::Answer, n)?;
        let (set, program, parameters) = (self.set, &self.program, &self.parameters);
        let threads = self.threads.lease()?;
        with_images(images, |images| {
            threads.install(|| {
                for (round, logits) in rounds(n).zip(logits.chunks_mut(ROUND * classes)) {
                    let (first, rows) = (round.start, Rows::new(logits, classes));
                    self.threads.for_each_tile(round, |scratch, _, range| {
                        let tile = scratch.input(program, Purpose::Answer);
                        set.run(Pack { images: &images, range: range.clone(), tile });
                        rows.write(range.start - first, set.run(Predict { program, parameters, scratch }));
                    });
                }
            });
        })?;
        Ok(Tensor::from_vec(logits, (n, classes), &Device::Cpu)?)
    }

    fn parameters(&self) -> Result<Vec<(String, Tensor)>> {
        checkpoint::named(&self.network, &self.parameters)
    }

    fn gradients(&self) -> Result<Vec<(String, Tensor)>> {
        if self.gradient.is_empty() {
            return checkpoint::named(&self.network, &memory::zeros(self.network.parameter_count())?);
        }
        checkpoint::named(&self.network, &self.gradient)
    }

    fn set_parameters(&mut self, tensors: &HashMap<String, Tensor>) -> Result<()> {
        self.set_flat_parameters(checkpoint::flatten(&self.network, tensors, false)?)
    }

    fn set_flat_parameters(&mut self, parameters: Vec<f32>) -> Result<()> {
        check_parameters(&self.network, &parameters)?;
        self.parameters = parameters;
        self.reset_optimizer()
    }

    fn reset_optimizer(&mut self) -> Result<()> {
        self.velocity.fill(0.0);
        Ok(())
    }

    fn announce_optimizer(&mut self, id: u64) {
        self.velocity_owner.announce(id);
    }
}

/// The images of a batch, as many at a time as the chunks take.
fn rounds(images: usize) -> impl Iterator<Item = Range<usize>> {
    (0..images).step_by(ROUND).map(move |start| start..(start + ROUND).min(images))
}
