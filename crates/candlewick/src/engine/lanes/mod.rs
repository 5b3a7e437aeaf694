//! The CPU engine: sixteen images at a time, one to a SIMD lane.
//!
//! ```text
//!   batch ──► chunks ──► tiles of 16 images ──► pack ──► forward ──► loss ──► backward ──┬─► sums of the chunk (conv2d)
//!                                                                                        └─► record of the tile (dense)
//!                                                                                                    │
//!   parameters ◄── optimiser ◄── gradient, part by part, from all chunks and records in order ◄──────┘
//! ```
//!
//! Threads take chunks, and then parts, as they come free. How a batch is cut into chunks, and the order of every sum, depend
//! on the batch alone, so the number of threads changes nothing in the result, not even the last bit.

mod answering;
mod fusion;
mod homes;
mod pack;
mod program;
mod threads;
mod tile;
mod update;

use super::divergence::{Divergence, Unless};
use super::images::{Images, with_images};
use super::input::{check_images, check_normalization, check_parameters, check_step, check_training};
use super::{Engine, Progress, Snapshot, Training};
use crate::dataset::{Augmented, Dataset};
use crate::engine::schedule::schedule;
use crate::error::Result;
use crate::layers::{Batch, LaneOperation};
use crate::losses::{Gathered, Loss, Objective, Targets};
use crate::memory::{self, check_room};
use crate::metrics::{Metrics, Tally};
use crate::network::Network;
use crate::normalization::Normalization;
use crate::optimizers::{Optimizer, Planes, State, Step};
use crate::random::Chance;
use crate::simd::InstructionSet;
use answering::Answering;
use candle_core::{Device, Tensor};
use pack::{Pack, Rows};
use program::{Instruction, Parameters, Pass, Program};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use threads::{Chunk, ROUND, Threads, Visit, round};
use tile::{Back, Forward, Predict, Run, Score, Scratch, Turn};
use update::{Average, Part, Scaled, Squares, Update, Weights, for_each_part, parts};

/// Parameters that a thread averages before it looks for more.
const AVERAGED_AT_ONCE: usize = 1 << 14;

/// The CPU engine. It takes memory and threads when it has work for them.
pub struct LanesEngine {
    network: Network,
    program: Program,
    answering: Answering,
    /// What the optimiser's step is divided into.
    parts: Arc<[Part]>,
    set: InstructionSet,
    threads: Threads,
    normalization: Option<Normalization>,
    /// Of each channel, as images are packed by it; empty without a normalization.
    channels: Vec<[f32; 2]>,
    parameters: Vec<f32>,
    /// The parameters as training has them in its passes; empty before the first step.
    arranged: Vec<f32>,
    /// What the surveys of the last batch came to.
    numbers: Vec<f32>,
    /// Decides, with the number of the batch, what is random in training.
    seed: u64,
    /// Batches trained on.
    batches: u64,
    /// Of the last step; empty before the first.
    gradient: Vec<f32>,
    state: State<Vec<f32>>,
    /// Of each part's gradient; empty before the first step that clips.
    squares: Vec<f64>,
    /// What passes forward change, statistics above all, as it was before the last step of a training.
    unmoved: Vec<f32>,
}

/// In which direction a pass is gone through; the last pass is turned round in.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Forward,
    Back,
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
        let program = Program::to_train(&schedule(&network, true), network.image_len());
        let answering = Answering::new(&network);
        let parameters = network.parameter_count().saturating_add(answering.program().arranged_len);
        let parameters = parameters.saturating_mul(size_of::<f32>());
        check_room(Scratch::<f32>::needs(answering.program()).saturating_add(parameters))?;
        let parts = parts(&program).into_iter().map(|part| part.cut(&network)).collect();
        Ok(Self {
            normalization: None,
            channels: Vec::new(),
            parameters: memory::zeros(network.parameter_count())?,
            arranged: Vec::new(),
            gradient: Vec::new(),
            state: State::new(),
            squares: Vec::new(),
            unmoved: Vec::new(),
            threads: Threads::new(threads)?,
            numbers: memory::zeros(program.batch_len)?,
            seed: 0,
            batches: 0,
            network,
            program,
            answering,
            parts,
            set,
        })
    }

    /// All that steps on batches of up to so many images need, before the first of them changes anything.
    fn prepare(&mut self, optimizer: &Optimizer, images: usize) -> Result<()> {
        self.answering.forget(); // the steps', and an average that another optimiser leaves behind or begins
        self.threads.prepare_to_train(&self.program, images)?;
        let count = self.network.parameter_count();
        if self.gradient.is_empty() {
            self.gradient = memory::zeros(count)?;
        }
        if self.arranged.is_empty() {
            self.arranged = memory::zeros(self.program.arranged_len)?;
        }
        if optimizer.clip_norm.is_some() && self.squares.is_empty() {
            self.squares = memory::zeros(self.parts.len())?;
        }
        let copy = || memory::copy(&self.parameters);
        self.state.hand_over(optimizer, || memory::zeros(count), copy, |plane| clear(plane))
    }

    /// Keeps what a pass forward changes in the parameters, before a step.
    fn remember(&mut self) {
        self.unmoved.clear();
        for p in self.network.parameters.iter().filter(|p| !p.trainable) {
            self.unmoved.extend_from_slice(&self.parameters[p.range.clone()]);
        }
    }

    /// Undoes all of a step whose loss was not finite, and which has moved no parameter for that.
    fn take_back(&mut self) {
        let mut kept = &self.unmoved[..];
        for p in self.network.parameters.iter().filter(|p| !p.trainable) {
            let (own, rest) = kept.split_at(p.range.len());
            self.parameters[p.range.clone()].copy_from_slice(own);
            kept = rest;
        }
        self.batches -= 1;
        self.state.take_back_step();
    }

    /// A step, within the leased threads.
    fn step_on(
        &mut self,
        images: &Images<'_>,
        objective: &Objective<'_>,
        optimizer: &Optimizer,
        (place, unless): (usize, Unless),
    ) -> Metrics {
        let (step, mut metrics) = (optimizer.at(self.state.count_steps(1), place), Metrics::default());
        self.batches += 1;
        self.program.arrange(&self.parameters, &mut self.arranged);
        for round in rounds(objective.len(), round(&self.program)) {
            let (is_first, is_last) = (round.start == 0, round.end == objective.len());
            metrics += self.go_through(images, objective, round);
            let is_made = is_last && (unless == Unless::Never || metrics.loss.is_finite());
            self.update(is_first, is_made.then_some(step));
        }
        metrics
    }

    /// Fills the chunks from a round of a batch: forward pass by pass, and back.
    fn go_through(&mut self, images: &Images<'_>, objective: &Objective<'_>, round: Range<usize>) -> Metrics {
        let (scale, last) = (objective.scale(), self.program.passes.len() - 1);
        for pass in 0..last {
            self.visit(images, &round, (Way::Forward, pass), |set, run, pass, visit| {
                set.run(Forward { run, pass, scratch: visit.scratch, survey: visit.survey });
                Metrics::default()
            });
            self.conclude(pass, round.len());
        }
        let metrics = self.visit(images, &round, (Way::Forward, last), |set, run, pass, visit| {
            let (objective, Visit { scratch, survey, into, .. }) = (objective.of(visit.images.clone()), visit);
            set.run(Turn { run, pass, objective, scale, scratch, survey, into })
        });
        for pass in (0..last).rev() {
            self.conclude_back(pass + 1, round.len());
            self.visit(images, &round, (Way::Back, pass), |set, run, pass, visit| {
                let Visit { scratch, survey, into, .. } = visit;
                set.run(Back { run, pass, scratch, survey, into });
                Metrics::default()
            });
        }
        metrics
    }

    /// Does the same with each tile of a round, whose images are in place where the pass begins with them.
    fn visit(
        &mut self,
        images: &Images<'_>,
        round: &Range<usize>,
        (way, pass): (Way, usize),
        work: impl Fn(InstructionSet, Run<'_, f32>, &Pass, Visit<'_>) -> Metrics + Sync,
    ) -> Metrics {
        let Self { set, program, channels, parameters, arranged, numbers, seed, batches: step, threads, .. } = self;
        let is_first = way == Way::Forward && pass == 0;
        let (set, seed, step, pass) = (*set, *seed, *step, &program.passes[pass]);
        let (program, numbers) = (&*program, &*numbers);
        let parameters = Parameters { own: parameters, arranged };
        let packs = is_first || way == Way::Back && pass.packs_again;
        threads.for_each_tile(round.clone(), is_first, |scratch, chunk, range| {
            let chance = Chance { seed, step, place: 0 };
            let batch = Batch { numbers, first: range.start, live: range.len(), chance };
            let run = Run { program, parameters, batch };
            scratch.exchange(program, chunk.kept());
            if packs {
                set.run(Pack { images, channels, range: range.clone(), tile: scratch.input(program) });
            }
            let metrics = work(set, run, pass, chunk.visit(program, range, scratch));
            chunk.metrics += metrics;
            scratch.exchange(program, chunk.kept());
        })
    }

    /// Puts together what a pass has found in all tiles.
    fn conclude(&mut self, pass: usize, images: usize) {
        let Some(next) = self.program.passes[pass].survey else { return };
        let Instruction { operation, own, batch, .. } = &self.program.instructions[next];
        let (own, numbers) = (&mut self.parameters[own.clone()], &mut self.numbers[batch.clone()]);
        operation.conclude(self.threads.surveys(&self.program, images), own, numbers);
    }

    /// The same on the way back.
    fn conclude_back(&mut self, pass: usize, images: usize) {
        let Some((instruction, _)) = self.program.passes[pass].survey_back else { return };
        let Instruction { operation, chunk, batch, .. } = &self.program.instructions[instruction];
        let mut sums = std::mem::take(self.threads.first_sums());
        let numbers = &mut self.numbers[batch.clone()];
        operation.conclude_back(self.threads.surveys(&self.program, images), numbers, &mut sums[chunk.clone()]);
        *self.threads.first_sums() = sums;
    }

    /// From the chunks to the gradient, and after a batch's last round to the parameters.
    fn update(&mut self, is_first: bool, step: Option<Step>) {
        let at_once = step.filter(|step| !step.clips());
        self.for_each_part(|set, program, part, chunks, weights| {
            set.run(Update { program, part, chunks, is_first, step: at_once, weights });
        });
        let Some(step) = step else { return };
        if step.clips() {
            let scale = step.scale(self.sum_squares());
            self.for_each_part(|set, _, part, _, weights| set.run(Scaled { part, step, scale, weights }));
        }
        if let Some(share) = step.share {
            self.average(share);
        }
    }

    fn for_each_part(&mut self, work: impl Fn(InstructionSet, &Program, &Part, &[Chunk], Weights<'_>) + Sync) {
        let (set, program, chunks) = (self.set, &self.program, self.threads.chunks());
        let mut planes = Planes::default();
        for (plane, own) in planes.iter_mut().zip(self.state.planes_mut()) {
            *plane = own;
        }
        let weights = Weights { parameters: &mut self.parameters, gradient: &mut self.gradient, planes };
        for_each_part(&self.parts, weights, &|part, weights| work(set, program, part, chunks, weights));
    }

    /// Of the whole gradient: part by part, and then in the order of the parts.
    fn sum_squares(&mut self) -> f64 {
        let (set, gradient) = (self.set, &self.gradient);
        let parts = self.squares.par_iter_mut().zip(&self.parts[..]);
        parts.for_each(|(squares, part)| *squares = set.run(Squares { part, gradient }));
        self.squares.iter().sum()
    }

    /// After a step: the average of all parameters, also of those that no step moves.
    fn average(&mut self, share: f32) {
        let (set, Some(average)) = (self.set, self.state.average_mut()) else { return };
        let pieces = average.par_chunks_mut(AVERAGED_AT_ONCE).zip(self.parameters.par_chunks(AVERAGED_AT_ONCE));
        pieces.for_each(|(average, parameters)| set.run(Average { share, average, parameters }));
    }
}

impl Engine for LanesEngine {
    fn network(&self) -> &Network {
        &self.network
    }

    fn size(&self) -> usize {
        let vectors = [&self.parameters, &self.arranged, &self.gradient, &self.numbers, &self.unmoved]
            .into_iter()
            .chain(self.state.kept());
        let others = self.threads.size() + self.answering.size() + size_of_val(&self.squares[..]);
        others + vectors.map(|vector| size_of_val(&vector[..])).sum::<usize>()
    }

    fn step(&mut self, images: &Tensor, targets: Targets<'_>, loss: &Loss, optimizer: &Optimizer) -> Result<Metrics> {
        let objective = check_step(&self.network, images, targets, loss, optimizer)?;
        let threads = self.threads.lease()?;
        with_images(images, |images| {
            self.prepare(optimizer, objective.len())?;
            Ok(threads.install(|| self.step_on(&images, &objective, optimizer, (0, Unless::Never))))
        })?
    }

    fn train_on(&mut self, training: &Training<'_>, progress: &Progress, metrics: &mut Metrics) -> Result<()> {
        check_training(&self.network, training, metrics.count, progress)?;
        let Training { dataset, loss, optimizer, .. } = *training;
        let largest = training.largest();
        if largest == 0 {
            return Ok(());
        }
        let mut gathered = Gathered::with_room(loss, dataset, largest)?;
        let mut augmented = Augmented::with_room(training, largest)?;
        let threads = self.threads.lease()?;
        self.prepare(optimizer, largest)?;
        threads.install(|| {
            for (place, indices) in training.batches(metrics.count) {
                let objective = gathered.objective(loss, dataset, indices, augmented.mixing())?;
                let images = augmented.images(dataset, indices);
                self.remember();
                let batch = self.step_on(&images, &objective, optimizer, (place, Unless::Diverged));
                if !batch.loss.is_finite() {
                    self.take_back();
                    let chance = Chance { seed: self.seed, step: self.batches + 1, place: 0 };
                    let normalization = self.normalization.as_ref();
                    let found =
                        Divergence { loss: batch.loss, step: place + 1, rate: optimizer.rate(place), normalization };
                    return Err(found.error(&self.network, &self.parameters, (&images, indices.len()), chance));
                }
                *metrics += batch;
                if progress.advance(metrics)? {
                    break;
                }
            }
            Ok(())
        })
    }

    fn evaluate_on(
        &mut self,
        dataset: &Dataset,
        indices: &[u32],
        loss: &Loss,
        progress: &Progress,
        metrics: &mut Metrics,
        mut tally: Option<&mut Tally>,
    ) -> Result<()> {
        self.check(dataset, indices, loss)?;
        let classes = self.network.classes();
        let mut logits = Vec::new(); // of a round, as far as they are to be counted
        if let Some(tally) = &mut tally {
            tally.begin(loss, classes)?;
            logits = memory::zeros(indices.len().min(ROUND).saturating_mul(classes))?;
        }
        progress.check()?;
        self.threads.prepare_to_answer(self.answering.program(), indices.len())?;
        let (set, threads) = (self.set, self.threads.lease()?);
        let known = self.state.average().unwrap_or(&self.parameters);
        let (program, parameters) = threads.install(|| self.answering.with(known))?;
        let images = dataset.images(indices);
        let mut gathered = Gathered::with_room(loss, dataset, indices.len())?;
        let objective = gathered.objective(loss, dataset, indices, None)?;
        threads.install(|| {
            for round in rounds(indices.len(), ROUND).skip((metrics.count as usize).div_ceil(ROUND)) {
                let (first, own) = (round.start, &indices[round.clone()]);
                let rows = tally.is_some().then(|| Rows::new(&mut logits, classes));
                *metrics += self.threads.for_each_tile(round, true, |scratch, chunk, range| {
                    let tile = scratch.input(program);
                    dataset.expect(&indices[range.clone()]);
                    set.run(Pack { images: &images, channels: &self.channels, range: range.clone(), tile });
                    let objective = objective.of(range.clone());
                    let (metrics, logits) = set.run(Score { program, parameters, objective, scratch });
                    chunk.metrics += metrics;
                    if let Some(rows) = &rows {
                        rows.write(range.start - first, logits);
                    }
                });
                if let Some(tally) = &mut tally {
                    tally.count(&logits, dataset.labels_of(own));
                }
                if progress.advance(metrics)? {
                    break;
                }
            }
            Ok(())
        })
    }

    fn predict(&mut self, images: &Tensor) -> Result<Tensor> {
        let n = check_images(&self.network, images)?;
        let classes = self.network.classes();
        let mut logits = memory::zeros(n.saturating_mul(classes))?;
        self.threads.prepare_to_answer(self.answering.program(), n)?;
        let (set, threads) = (self.set, self.threads.lease()?);
        let known = self.state.average().unwrap_or(&self.parameters);
        let (program, parameters) = threads.install(|| self.answering.with(known))?;
        with_images(images, |images| {
            threads.install(|| {
                for (round, logits) in rounds(n, ROUND).zip(logits.chunks_mut(ROUND * classes)) {
                    let (first, rows) = (round.start, Rows::new(logits, classes));
                    self.threads.for_each_tile(round, true, |scratch, _, range| {
                        let tile = scratch.input(program);
                        set.run(Pack { images: &images, channels: &self.channels, range: range.clone(), tile });
                        rows.write(range.start - first, set.run(Predict { program, parameters, scratch }));
                    });
                }
            });
        })?;
        Ok(Tensor::from_vec(logits, (n, classes), &Device::Cpu)?)
    }

    fn flat_parameters(&self) -> Result<Cow<'_, [f32]>> {
        Ok(Cow::Borrowed(self.state.average().unwrap_or(&self.parameters)))
    }

    fn flat_gradient(&self) -> Result<Cow<'_, [f32]>> {
        if self.gradient.is_empty() {
            return Ok(Cow::Owned(memory::zeros(self.network.parameter_count())?));
        }
        Ok(Cow::Borrowed(&self.gradient))
    }

    fn set_flat_parameters(&mut self, parameters: Vec<f32>) -> Result<()> {
        check_parameters(&self.network, &parameters)?;
        self.parameters = parameters;
        self.reset_optimizer()
    }

    fn normalization(&self) -> Option<&Normalization> {
        self.normalization.as_ref()
    }

    fn set_normalization(&mut self, normalization: Option<Normalization>) -> Result<()> {
        check_normalization(&self.network, normalization.as_ref())?;
        self.channels = normalization.as_ref().map_or(Vec::new(), Normalization::channels);
        self.normalization = normalization;
        Ok(())
    }

    fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    fn reset_optimizer(&mut self) -> Result<()> {
        self.answering.forget(); // what was averaged is forgotten, too
        self.state.reset(|plane| clear(plane))
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let parameters = memory::copy(&self.parameters)?;
        let counted = (self.batches, self.seed);
        Snapshot::of(&self.state, parameters, self.normalization(), counted, |plane| memory::copy(plane))
    }

    fn restore(&mut self, snapshot: &Snapshot, owner: u64) -> Result<()> {
        let state = snapshot.state(&self.network, owner, memory::copy)?;
        self.parameters = memory::copy(&snapshot.parameters)?;
        self.answering.forget();
        self.state = state;
        self.set_normalization(snapshot.normalization.clone())?;
        (self.batches, self.seed) = (snapshot.batches, snapshot.seed);
        Ok(())
    }

    fn announce_optimizer(&mut self, id: u64) {
        self.state.announce(id);
    }
}

fn clear(plane: &mut [f32]) -> Result<()> {
    plane.fill(0.0);
    Ok(())
}

/// The images of a batch, so many at a time.
fn rounds(images: usize, round: usize) -> impl Iterator<Item = Range<usize>> {
    (0..images).step_by(round).map(move |start| start..start.saturating_add(round).min(images))
}
