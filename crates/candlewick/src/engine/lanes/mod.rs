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
mod program;
mod threads;
mod tile;
mod update;

use super::images::{Images, with_images};
use super::input::{check_images, check_parameters, check_range, check_step, check_training};
use super::{Engine, Progress};
use crate::checkpoint;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::memory;
use crate::metrics::Metrics;
use crate::network::Network;
use crate::optimizer::Sgd;
use crate::simd::InstructionSet;
use candle_core::{Device, Tensor};
use pack::Pack;
use program::Program;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use threads::{ROUND, Threads};
use tile::{Predict, Score, Train};
use update::{Part, Update, Weights, for_each_part, parts};

/// The CPU engine.
pub struct LanesEngine {
    network: Network,
    program: Program,
    /// What the optimiser's step is divided into.
    parts: Arc<[Part]>,
    set: InstructionSet,
    threads: Threads,
    parameters: Vec<f32>,
    gradient: Vec<f32>,
    velocity: Vec<f32>,
    /// Whether the velocity has been other than zero.
    is_moving: bool,
}

impl LanesEngine {
    /// Runs `network` on `threads` threads, of which a batch can use sixteen; all processors' for `None`. All parameters are
    /// zero until they are set.
    ///
    /// # Errors
    /// `InvalidArgument` for no threads, and as [`InstructionSet::chosen`]; `OutOfMemory`.
    pub fn new(network: Network, threads: Option<usize>) -> Result<Self> {
        Self::on(InstructionSet::chosen()?, network, threads)
    }

    /// As [`LanesEngine::new`], on a given instruction set.
    ///
    /// # Errors
    /// As [`LanesEngine::new`].
    pub fn on(set: InstructionSet, network: Network, threads: Option<usize>) -> Result<Self> {
        let program = Program::new(&network);
        let vectors = 3usize.saturating_mul(network.parameter_count()).saturating_mul(size_of::<f32>());
        let threads = Threads::new(threads, &program, vectors)?;
        let zeros = || memory::zeros(network.parameter_count());
        let (parameters, gradient, velocity) = (zeros()?, zeros()?, zeros()?);
        let parts = parts(&program).into();
        Ok(Self { network, program, parts, set, threads, parameters, gradient, velocity, is_moving: false })
    }

    /// A step, within the pool.
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
            set.run(Pack { images, range: range.clone(), tile: &mut scratch.values[0] });
            let (labels, into) = (&labels[range], chunk.accumulators(program));
            let metrics = set.run(Train { program, parameters, labels, scale, scratch, into });
            chunk.metrics += metrics;
        })
    }

    /// From the chunks to the gradient, and after a batch's last round to the parameters.
    fn update(&mut self, is_first: bool, sgd: Option<&Sgd>) {
        self.is_moving |= sgd.is_some_and(|sgd| sgd.momentum > 0.0);
        let (set, record_len, chunks) = (self.set, self.program.record_len, self.threads.chunks());
        let weights =
            Weights { parameters: &mut self.parameters, gradient: &mut self.gradient, velocity: &mut self.velocity };
        for_each_part(&self.parts, weights, &|part, weights| {
            set.run(Update { part, chunks, record_len, is_first, sgd, weights });
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
        let pool = self.threads.pool();
        with_images(images, |images| pool.install(|| self.step_on(&images, labels, &sgd)))
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
        let (mut metrics, mut labels) = (Metrics::default(), Vec::with_capacity(batch_size.min(order.len())));
        self.threads.pool().install(|| {
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
        let (set, program, parameters) = (self.set, &self.program, &self.parameters);
        let (images, mut metrics) = (Images::Indexed(dataset.pixels(), &indices), Metrics::default());
        let labels: Vec<u32> = indices.iter().map(|i| u32::from(dataset.labels()[*i as usize])).collect();
        self.threads.pool().install(|| {
            for round in rounds(indices.len()) {
                let done = round.len();
                metrics += self.threads.for_each_tile(round, |scratch, chunk, range| {
                    set.run(Pack { images: &images, range: range.clone(), tile: &mut scratch.values[0] });
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
        let logits = pack::Rows::new(n, classes);
        let (set, program, parameters) = (self.set, &self.program, &self.parameters);
        let pool = self.threads.pool();
        with_images(images, |images| {
            pool.install(|| {
                for round in rounds(n) {
                    self.threads.for_each_tile(round, |scratch, _, range| {
                        set.run(Pack { images: &images, range: range.clone(), tile: &mut scratch.values[0] });
                        set.run(Predict { program, parameters, scratch });
                        logits.write(range, scratch.output());
                    });
                }
            });
        })?;
        Ok(Tensor::from_vec(logits.into_values(), (n, classes), &Device::Cpu)?)
    }

    fn parameters(&self) -> Result<Vec<(String, Tensor)>> {
        checkpoint::named(&self.network, &self.parameters)
    }

    fn gradients(&self) -> Result<Vec<(String, Tensor)>> {
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
        if std::mem::take(&mut self.is_moving) {
            self.velocity.fill(0.0);
        }
        Ok(())
    }
}

/// The images of a batch, as many at a time as the chunks take.
fn rounds(images: usize) -> impl Iterator<Item = Range<usize>> {
    (0..images).step_by(ROUND).map(move |start| start..(start + ROUND).min(images))
}
