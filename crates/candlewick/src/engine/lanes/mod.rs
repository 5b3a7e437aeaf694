//! The CPU engine: sixteen images at a time, one to a SIMD lane.
//!
//! ```text
//!   batch ──► chunks ──► tiles of 16 images ──► pack ──► forward ──► loss ──► backward ──► gradient of the chunk
//!                                                                                              │
//!   parameters ◄── SGD step ◄── sum over the chunks, in order ◄────────────────────────────────┘
//! ```
//!
//! Threads take chunks as they come free. How a batch is cut into chunks, and the order of every sum, depend on the batch
//! alone, so the number of threads changes nothing in the result, not even the last bit.

mod pack;
mod program;
mod threads;
mod tile;

use super::{Engine, Progress};
use crate::checkpoint;
use crate::dataset::{Dataset, check_label};
use crate::error::{Code, Error, Result};
use crate::memory;
use crate::metrics::Metrics;
use crate::network::{Network, show};
use crate::optimizer::Sgd;
use crate::simd::InstructionSet;
use candle_core::{Device, Tensor};
use pack::{Images, with_images};
use program::Program;
use std::collections::HashMap;
use std::ops::Range;
use threads::Threads;
use tile::{Predict, Score, Train};

/// Images of an evaluation between two looks at its [`Progress`].
const EVALUATION_BATCH: usize = 1024;

/// The CPU engine.
pub struct LanesEngine {
    network: Network,
    program: Program,
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
    /// `InvalidArgument` for no threads, `OutOfMemory`.
    pub fn new(network: Network, threads: Option<usize>) -> Result<Self> {
        Self::on(InstructionSet::best(), network, threads)
    }

    /// As [`LanesEngine::new`], on a given instruction set.
    ///
    /// # Errors
    /// As [`LanesEngine::new`].
    pub fn on(set: InstructionSet, network: Network, threads: Option<usize>) -> Result<Self> {
        let program = Program::new(&network);
        let threads = Threads::new(threads, &program, network.parameter_count())?;
        let zeros = || memory::zeros(network.parameter_count());
        let (parameters, gradient, velocity) = (zeros()?, zeros()?, zeros()?);
        Ok(Self { network, program, set, threads, parameters, gradient, velocity, is_moving: false })
    }

    /// Bytes of memory that it holds.
    pub fn size(&self) -> usize {
        self.threads.size()
    }

    fn step_on(&mut self, images: Images<'_>, labels: &[u32], sgd: &Sgd) -> Metrics {
        let scale = 1.0 / labels.len() as f32;
        let (set, program, parameters) = (self.set, &self.program, &self.parameters);
        let metrics = self.threads.for_each_tile(
            labels.len(),
            |chunk| chunk.gradient.fill(0.0),
            |scratch, chunk, range| {
                pack::pack(&images, range.clone(), &mut scratch.values[0]);
                let labels = &labels[range];
                chunk.metrics +=
                    set.run(Train { program, parameters, labels, scale, scratch, gradient: &mut chunk.gradient });
            },
        );
        self.threads.sum_gradients(&mut self.gradient);
        self.is_moving |= sgd.momentum > 0.0;
        sgd.step(&mut self.parameters, &self.gradient, &mut self.velocity);
        metrics
    }

    fn check_images(&self, images: &Tensor) -> Result<usize> {
        let [c, h, w] = self.network.input_shape;
        match images.dims() {
            [n, rest @ ..] if *rest == [c, h, w] => Ok(*n),
            dims => {
                let (dims, expected) = (show(dims), format!("(N, {c}, {h}, {w})"));
                let message = format!("images have shape {dims}, but this network takes {expected}");
                Err(Error::new(Code::InvalidShape, message))
            }
        }
    }
}

impl Engine for LanesEngine {
    fn network(&self) -> &Network {
        &self.network
    }

    fn step(&mut self, images: &Tensor, labels: &[u32], sgd: &Sgd) -> Result<Metrics> {
        let n = self.check_images(images)?;
        if n != labels.len() {
            let message = format!("there are {n} images but {} labels; each image needs one", labels.len());
            return Err(Error::new(Code::DataMismatch, message));
        }
        if n == 0 {
            return Err(Error::new(Code::InvalidArgument, "a step needs at least one image, but the batch is empty"));
        }
        for (image, &label) in labels.iter().enumerate() {
            check_label(label, image, self.network.classes())?;
        }
        let sgd = sgd.validated()?;
        with_images(images, |images| self.step_on(images, labels, &sgd))
    }

    fn train(
        &mut self,
        dataset: &Dataset,
        order: &[u32],
        batch_size: usize,
        sgd: &Sgd,
        progress: &Progress,
    ) -> Result<Metrics> {
        check_dataset(&self.network, dataset)?;
        dataset.check(order, self.network.classes())?;
        let sgd = sgd.validated()?;
        if batch_size == 0 {
            return Err(Error::new(Code::InvalidArgument, "the batch size is 0; it must be at least 1"));
        }
        progress.check()?;
        let (mut metrics, mut labels) = (Metrics::default(), Vec::with_capacity(batch_size.min(order.len())));
        for indices in order.chunks(batch_size) {
            labels.clear();
            labels.extend(indices.iter().map(|i| u32::from(dataset.labels()[*i as usize])));
            metrics += self.step_on(Images::Indexed(dataset.pixels(), indices), &labels, &sgd);
            progress.advance(indices.len())?;
        }
        Ok(metrics)
    }

    fn evaluate(&mut self, dataset: &Dataset, range: Range<usize>, progress: &Progress) -> Result<Metrics> {
        let indices = self.check(dataset, range)?;
        progress.check()?;
        let (set, program, parameters) = (self.set, &self.program, &self.parameters);
        let mut metrics = Metrics::default();
        for indices in indices.chunks(EVALUATION_BATCH) {
            let images = Images::Indexed(dataset.pixels(), indices);
            let labels: Vec<u32> = indices.iter().map(|i| u32::from(dataset.labels()[*i as usize])).collect();
            metrics += self.threads.for_each_tile(
                indices.len(),
                |_| (),
                |scratch, chunk, range| {
                    pack::pack(&images, range.clone(), &mut scratch.values[0]);
                    chunk.metrics += set.run(Score { program, parameters, labels: &labels[range], scratch });
                },
            );
            progress.advance(indices.len())?;
        }
        Ok(metrics)
    }

    fn check(&self, dataset: &Dataset, range: Range<usize>) -> Result<Vec<u32>> {
        check_dataset(&self.network, dataset)?;
        let indices: Vec<u32> = (range.start as u32..range.end as u32).collect();
        dataset.check(&indices, self.network.classes())?;
        Ok(indices)
    }

    fn predict(&mut self, images: &Tensor) -> Result<Tensor> {
        let n = self.check_images(images)?;
        let classes = self.network.classes();
        let logits = pack::Rows::new(n, classes);
        let (set, program, parameters) = (self.set, &self.program, &self.parameters);
        with_images(images, |images| {
            self.threads.for_each_tile(
                n,
                |_| (),
                |scratch, _, range| {
                    pack::pack(&images, range.clone(), &mut scratch.values[0]);
                    set.run(Predict { program, parameters, scratch });
                    logits.write(range, scratch.output());
                },
            );
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
        let (given, expected) = (parameters.len(), self.network.parameter_count());
        if given != expected {
            let message = format!("{given} parameters were given, but the network has {expected}");
            return Err(Error::new(Code::InvalidArgument, message));
        }
        self.parameters = parameters;
        self.reset_optimizer();
        Ok(())
    }

    fn reset_optimizer(&mut self) {
        if std::mem::take(&mut self.is_moving) {
            self.velocity.fill(0.0);
        }
    }
}

fn check_dataset(network: &Network, dataset: &Dataset) -> Result<()> {
    if dataset.shape() == network.input_shape {
        return Ok(());
    }
    let (images, expected) = (show(&dataset.shape()), show(&network.input_shape));
    let message = format!("the dataset's images have shape {images}, but this network takes {expected}");
    Err(Error::new(Code::InvalidShape, message))
}
