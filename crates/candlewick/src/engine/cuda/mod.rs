//! The CUDA engine: an image to a block of threads, all its values in shared memory.
//!
//! ```text
//!   order ──► train: a block takes an image through the network and back ──┬─► partial gradients of its block
//!                                                                          └─► record of the image
//!                                                                                      │
//!   parameters ◄── update: gradient, and the optimiser's step, 32 parameters to a block ◄┘
//!       where gradients are clipped: gather (the gradient) ──► clip (its norm, in one block) ──► move_all (the step)
//! ```
//!
//! A layer that must know the whole batch, as batch normalisation does, divides that into visits: all images as far as the layer, which
//! surveys each; then the surveys are put together, a channel to a block, and all images go on; and again on the way back. Their
//! values are then in global memory, each image's in its own place.
//!
//! ```text
//!   train (forward) ──► join_surveys ──► train (forward, loss, backward) ──► join_surveys ──► train (backward) ──► update
//! ```
//!
//! Partial gradients or a record: where a layer leaves what its parameters' gradient is made of is its own affair.
//!
//! Datasets stay on the GPU as bytes. An epoch's order goes up, and one loss and one count come back. All sums run in a
//! fixed order, so that a run repeats to the last bit; other GPUs, of other numbers of multiprocessors, may differ there.

#[cfg(feature = "cuda")]
pub mod device;
#[cfg(feature = "emulation")]
pub mod emulated;
pub mod gpu;
mod growing;
mod layout;
mod loss;
pub mod optimizer;
mod room;
mod visits;

#[cfg(all(test, feature = "emulation"))]
mod facts;

use super::divergence::Divergence;
use super::images::{Images, with_images};
use super::input::{check_images, check_normalization, check_parameters, check_step, check_training};
use super::{Engine, Progress, Snapshot, Training};
use crate::dataset::Dataset;
use crate::error::{Code, Error, Result};
use crate::kernels::MOST;
use crate::layers::batch_norm::MOST_SHARES;
use crate::losses::{self, Loss, Targets};
use crate::memory;
use crate::metrics::{Metrics, Tally};
use crate::network::Network;
use crate::normalization::Normalization;
use crate::optimizers::{Averaging, Ema, Encoded, MOST_STATE, Optimizer, State};
use crate::random::Chance;
use candle_core::{Device, Tensor};
use gpu::{Gpu, Kernel};
use growing::Growing;
pub use layout::Arguments;
use layout::{Layout, SPLITS};
use loss::ResidentLoss;
use optimizer::{DeviceOptimizer, DeviceRate};
use room::{Home, Room};
use std::borrow::Cow;
use std::ops::Range;

/// As in kernels/arguments.cuh.
const PARAMETERS: usize = 32;
const SHARERS: usize = 8;
const SUMS: usize = 256;

/// Bytes of shared memory: a number of each sharer's for each parameter, and of each sum the loss and the count.
const UPDATE_SHARED: usize = PARAMETERS * SHARERS * size_of::<f32>();
const METRICS_SHARED: usize = SUMS * 2 * size_of::<f64>();
const SURVEYS_SHARED: usize = SUMS * size_of::<f64>();

/// Images of an evaluation or prediction between two launches, and batches and images of a training between two looks at its
/// [`Progress`]: launches are queued, and only a wait says how far they are.
const EVALUATION_BATCH: usize = 4096;
const BATCHES_AHEAD: usize = 32;
const IMAGES_AHEAD: usize = 8192;

/// Datasets that stay on the GPU: one to train on, one to test with.
const MOST_DATASETS: usize = 2;

/// Bytes of partial gradients, at most: fewer blocks run where those of many would be more.
const MOST_PARTIALS: usize = 256 << 20;

/// Batches of an epoch that are worth their memory as graphs.
const MOST_CAPTURED: usize = 4096;

/// A network on a GPU.
pub struct CudaEngine<G: Gpu> {
    /// The last training's batches, captured, for the next epoch. First, to be dropped before what they name.
    epoch: Option<Epoch<G>>,
    network: Network,
    layout: Layout,
    /// Where the values of images are, in a training step and in answers.
    training: Room,
    answers: Room,
    /// Those of the network, whose addresses never change.
    operations: G::Memory,
    steps: G::Memory,
    parameters: G::Memory,
    turned: G::Memory,
    gradient: G::Memory,
    /// The rule of the steps and its settings, which captured launches have from here.
    optimizer: G::Memory,
    loss: ResidentLoss<G>,
    /// Batches trained on, which the kernels count.
    batches: G::Memory,
    /// Decides, with the number of the batch, what is random in training.
    seed: u64,
    normalization: Option<Normalization>,
    /// Each channel's mean and factor, where there is a normalization.
    channels: Growing<G>,
    /// Of the steps of a run.
    rates: Growing<G>,
    /// A byte for each parameter: whether it decays.
    decays: Growing<G>,
    /// The averaged parameters as `turned`.
    turned_average: Growing<G>,
    scratch: Option<G::Memory>,
    numbers: G::Memory,
    sums: G::Memory,
    /// Those that grow with what they hold.
    batch: Growing<G>,
    partials: Growing<G>,
    records: Growing<G>,
    order: Growing<G>,
    losses: Growing<G>,
    correct: Growing<G>,
    logits: Growing<G>,
    images: Growing<G>,
    labels: Growing<G>,
    values: Growing<G>,
    /// The datasets that were used last, the latest first.
    datasets: Vec<Resident<G>>,
    /// Of one plane from the start: what most optimisers need is there before there is work. The kernels count its steps on.
    state: State<G::Memory>,
    gpu: G,
}

/// A dataset on the GPU.
struct Resident<G: Gpu> {
    id: u64,
    pixels: G::Memory,
    /// Of numbers as they are; else of bytes.
    of_floats: bool,
    labels: Option<G::Memory>,
    mixes: Option<G::Memory>,
    targets: Option<G::Memory>,
}

/// The batches of an epoch as graphs of at most [`BATCHES_AHEAD`].
struct Epoch<G: Gpu> {
    /// What they were captured for; with anything else, they would do something else.
    run: Run,
    graphs: Vec<G::Graph>,
}

/// A training, as far as its kernels know.
#[derive(Clone, Copy, PartialEq)]
struct Run {
    arguments: Arguments,
    images: usize,
    batch_size: usize,
    clips: bool,
}

impl Run {
    /// Where each piece of some batches starts, and its images.
    fn pieces(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let batches = (IMAGES_AHEAD / self.batch_size).clamp(1, BATCHES_AHEAD);
        pieces(self.images, self.batch_size.saturating_mul(batches))
    }
}

impl<G: Gpu> CudaEngine<G> {
    /// Runs `network` on `gpu`. All parameters are zero until they are set.
    ///
    /// # Errors
    /// `OutOfMemory`, `DeviceLost`.
    pub fn new(gpu: G, network: Network) -> Result<Self> {
        let (layout, count) = (Layout::new(&network)?, network.parameter_count());
        let training = Room::of_training(&gpu, layout.memory_len, layout.is_by_image());
        let answers = Room::of_blocks(&gpu, layout.answer_len);
        let scratch_len = training.scratch_len().max(answers.scratch_len());
        let floats = |n: usize| gpu.allocate(n.saturating_mul(size_of::<f32>()));
        let upload = |content: &[u8]| {
            let mut memory = gpu.allocate(content.len())?;
            gpu.write(&mut memory, content)?;
            Ok::<_, Error>(memory)
        };
        let mut state = State::new();
        state.make_room(1, || floats(count))?;
        let engine = Self {
            operations: upload(bytemuck::cast_slice(&layout.operations))?,
            steps: upload(bytemuck::cast_slice(&layout.steps))?,
            parameters: floats(count)?,
            turned: floats(count)?,
            gradient: floats(count)?,
            optimizer: gpu.allocate(size_of::<DeviceOptimizer>())?,
            loss: ResidentLoss::new(&gpu)?,
            batches: gpu.allocate(size_of::<u32>())?,
            seed: 0,
            normalization: None,
            channels: Growing::new(),
            rates: Growing::new(),
            decays: Growing::new(),
            turned_average: Growing::new(),
            scratch: if scratch_len > 0 { Some(floats(scratch_len)?) } else { None },
            numbers: floats(layout.batch_len)?,
            sums: gpu.allocate(2 * size_of::<f64>())?,
            batch: Growing::new(),
            partials: Growing::new(),
            records: Growing::new(),
            order: Growing::new(),
            losses: Growing::new(),
            correct: Growing::new(),
            logits: Growing::new(),
            images: Growing::new(),
            labels: Growing::new(),
            values: Growing::new(),
            epoch: None,
            datasets: Vec::new(),
            state,
            gpu,
            network,
            layout,
            training,
            answers,
        };
        engine.load_kernels()?;
        Ok(engine)
    }

    /// Launches what will be captured with nothing to do: drivers may load a kernel at its first launch, and not in a capture.
    fn load_kernels(&self) -> Result<()> {
        let nothing = Arguments::default();
        self.gpu.launch(Kernel::Train, 1, self.training.shared, &nothing)?;
        self.gpu.launch(Kernel::JoinSurveys, 1, SURVEYS_SHARED, &nothing)?;
        self.gpu.launch(Kernel::Update, 1, UPDATE_SHARED, &nothing)?;
        self.gpu.launch(Kernel::Gather, 1, UPDATE_SHARED, &nothing)?;
        self.gpu.launch(Kernel::MoveAll, 1, 0, &nothing)?;
        // It writes to the optimiser's memory, of a norm of nothing.
        self.gpu.launch(
            Kernel::Clip,
            1,
            METRICS_SHARED,
            &Arguments { optimizer: self.gpu.address(&self.optimizer), ..nothing },
        )
    }

    /// What every launch is told, with the memory of a training step.
    fn arguments(&self) -> Arguments {
        let at = |memory| self.gpu.address(memory);
        let number = |n: usize| n as i32; // Layout::new has seen to it that they fit
        Arguments {
            operations: at(&self.operations),
            steps: at(&self.steps),
            parameters: at(&self.parameters),
            turned: at(&self.turned),
            gradient: at(&self.gradient),
            optimizer: at(&self.optimizer),
            batches: at(&self.batches),
            seed: self.seed,
            loss: self.loss.address(&self.gpu),
            partials: self.partials.address(&self.gpu),
            records: self.records.address(&self.gpu),
            losses: self.losses.address(&self.gpu),
            correct: self.correct.address(&self.gpu),
            logits: self.logits.address(&self.gpu),
            scratch: self.memory_of(&self.training),
            numbers: at(&self.numbers),
            sums: at(&self.sums),
            normalization: if self.normalization.is_some() { self.channels.address(&self.gpu) } else { 0 },
            image_len: number(self.network.image_len()),
            plane_len: number(self.network.image_len() / self.network.input_shape[0]),
            classes: number(self.network.classes()),
            memory_len: number(self.layout.memory_len),
            by_image: i32::from(self.layout.is_by_image()),
            loss_gradient: number(self.layout.loss_gradient),
            survey: number(self.layout.survey),
            partial_len: number(self.layout.partial_len),
            record_len: number(self.layout.record_len),
            parameter_count: number(self.network.parameter_count()),
            ..Arguments::default()
        }
    }

    /// The images' memory, where it is not shared memory.
    fn memory_of(&self, room: &Room) -> u64 {
        match room.home {
            Home::Shared => 0,
            Home::Scratch => self.scratch.as_ref().map_or(0, |memory| self.gpu.address(memory)),
            Home::Batch => self.batch.address(&self.gpu),
        }
    }

    /// Puts the dataset on the GPU, unless it is there, in place of the one that was used longest ago; the arguments that name it.
    fn load(&mut self, dataset: &Dataset) -> Result<Arguments> {
        let found = self.datasets.iter().position(|resident| resident.id == dataset.id());
        let resident = if let Some(found) = found {
            self.datasets.remove(found)
        } else {
            self.datasets.truncate(MOST_DATASETS - 1);
            self.upload(dataset)?
        };
        let at = |memory| self.gpu.address(memory);
        let [labels, mixes, values] =
            [&resident.labels, &resident.mixes, &resident.targets].map(|memory| memory.as_ref().map_or(0, at));
        let (bytes, floats) = if resident.of_floats { (0, at(&resident.pixels)) } else { (at(&resident.pixels), 0) };
        let arguments = Arguments { bytes, floats, labels, mixes, values, ..self.arguments() };
        self.datasets.insert(0, resident);
        Ok(arguments)
    }

    fn upload(&self, dataset: &Dataset) -> Result<Resident<G>> {
        let upload = |content: &[u8]| {
            let mut memory = self.gpu.allocate(content.len())?;
            self.gpu.write(&mut memory, content)?;
            Ok::<_, Error>(memory)
        };
        let labels: Vec<u32> = memory::collect(dataset.labels().iter().map(|label| u32::from(*label)))?;
        let of_floats = dataset.is_of_floats();
        let unless_empty = |content: &[u8]| (!content.is_empty()).then(|| upload(content)).transpose();
        Ok(Resident {
            id: dataset.id(),
            pixels: upload(if of_floats { bytemuck::cast_slice(dataset.floats()) } else { dataset.pixels() })?,
            of_floats,
            labels: unless_empty(bytemuck::cast_slice(&labels))?,
            mixes: unless_empty(bytemuck::cast_slice(dataset.mixes()))?,
            targets: unless_empty(bytemuck::cast_slice(dataset.targets()))?,
        })
    }

    /// Puts the targets of a batch on the GPU; the arguments, with where they are.
    fn load_targets(&mut self, targets: Targets<'_>) -> Result<[u64; 2]> {
        match targets {
            Targets::Labels(labels) => {
                self.labels.write(&self.gpu, bytemuck::cast_slice(labels))?;
                Ok([self.labels.address(&self.gpu), 0])
            }
            Targets::Values(values) => {
                self.values.write(&self.gpu, bytemuck::cast_slice(values))?;
                Ok([0, self.values.address(&self.gpu)])
            }
        }
    }

    /// Puts a batch of images on the GPU; the arguments that name it.
    fn load_batch(&mut self, images: &Images<'_>) -> Result<Arguments> {
        let content = match images {
            Images::Floats(values) | Images::IndexedFloats(values, _) => bytemuck::cast_slice(values),
            Images::Bytes(bytes) | Images::Indexed(bytes, _) => bytes,
        };
        self.images.write(&self.gpu, content)?;
        let at = self.images.address(&self.gpu);
        let (bytes, floats) = match images {
            Images::Floats(_) | Images::IndexedFloats(..) => (0, at),
            Images::Bytes(_) | Images::Indexed(..) => (at, 0),
        };
        Ok(Arguments { bytes, floats, ..self.arguments() })
    }

    /// Room for the figures of a run of `images`.
    fn make_room(&mut self, images: usize, batch_size: usize) -> Result<()> {
        check_count(images, MOST)?;
        let batch = batch_size.min(images);
        if let Home::Batch = self.training.home {
            check_count(batch, MOST / MOST_SHARES)?; // a kernel counts all shares
            let values = self.layout.memory_len.saturating_mul(size_of::<f32>());
            self.batch.room(&self.gpu, values.saturating_mul(batch))?;
        }
        let bytes = images.saturating_mul(size_of::<f32>());
        self.losses.room(&self.gpu, bytes)?;
        self.correct.room(&self.gpu, bytes)?;
        let record = self.layout.record_len.saturating_mul(size_of::<f32>());
        self.records.room(&self.gpu, record.saturating_mul(batch))?;
        self.partials.room(&self.gpu, self.training_blocks(batch) * self.partial_bytes())?;
        Ok(())
    }

    /// Bytes of a block's partial gradients.
    fn partial_bytes(&self) -> usize {
        SPLITS * self.layout.partial_len * size_of::<f32>()
    }

    /// Blocks that a batch is trained in.
    fn training_blocks(&self, images: usize) -> usize {
        let afforded = (MOST_PARTIALS / self.partial_bytes().max(1)).max(1);
        images.min(self.training.most_blocks).min(afforded)
    }

    /// Hands the state to the optimiser whose `steps` follow, but for the first, which are `done`, and tells the kernels.
    fn begin(&mut self, optimizer: &Optimizer, steps: usize, done: usize) -> Result<()> {
        self.write_rates(optimizer, steps)?;
        self.write_decays(optimizer)?;
        let (gpu, count) = (&self.gpu, self.network.parameter_count());
        let bytes = count.saturating_mul(size_of::<f32>());
        if optimizer.averaging.is_some() {
            self.turned_average.room(gpu, bytes)?;
        }
        let parameters = &self.parameters;
        let copy = || {
            let mut values = memory::zeros::<f32>(count)?;
            gpu.read(parameters, bytemuck::cast_slice_mut(&mut values))?;
            let mut plane = gpu.allocate(bytes)?;
            gpu.write(&mut plane, bytemuck::cast_slice(&values))?;
            Ok(plane)
        };
        self.state.hand_over(optimizer, || gpu.allocate(bytes), copy, |plane| gpu.clear(plane))?;
        let mut planes = [0; MOST_STATE];
        for (address, plane) in planes.iter_mut().zip(self.state.planes()) {
            *address = gpu.address(plane);
        }
        let Encoded { rule, settings } = optimizer.encode();
        let (rates, decays, steps) = (self.rates.address(gpu), self.decays.address(gpu), self.state.steps());
        let average = self.state.average().map_or(0, |average| gpu.address(average));
        let average_decay = optimizer.averaging.map_or(0.0, |Averaging::Ema(Ema { decay })| decay);
        let (clip_norm, share, scale) = (optimizer.clip_norm.unwrap_or_default(), 0.0, 1.0);
        let optimizer = DeviceOptimizer {
            steps,
            begun: steps.wrapping_sub(done as u64), // the kernels count on from it as they find it
            planes,
            rates,
            decays,
            average,
            average_decay,
            share,
            clip_norm,
            scale,
            rule,
            settings,
        };
        gpu.write(&mut self.optimizer, bytemuck::bytes_of(&optimizer))
    }

    fn write_rates(&mut self, optimizer: &Optimizer, steps: usize) -> Result<()> {
        let rates = (0..steps).map(|place| DeviceRate::from(optimizer.rate(place)));
        self.rates.write(&self.gpu, bytemuck::cast_slice(&memory::collect(rates)?))
    }

    fn write_decays(&mut self, optimizer: &Optimizer) -> Result<()> {
        let mut decays = memory::zeros::<u8>(self.network.parameter_count())?;
        for parameter in &self.network.parameters {
            decays[parameter.range.clone()].fill(optimizer.decay.takes(parameter.is_weight()).into());
        }
        self.decays.write(&self.gpu, &decays)
    }

    /// Queues the step of the batch of this number in its run.
    fn step_on(&self, arguments: &Arguments, batch: Range<usize>, number: usize, clips: bool) -> Result<()> {
        let blocks = self.training_blocks(batch.len());
        let arguments = Arguments {
            first: batch.start as i32,
            images: batch.len() as i32,
            batch: number as i32,
            partial_count: (blocks * SPLITS) as i32,
            scale: 1.0 / batch.len() as f32,
            ..*arguments
        };
        for &(visit, survey_blocks) in &self.layout.visits {
            let arguments = Arguments { visit, ..arguments };
            self.gpu.launch(Kernel::Train, blocks, self.training.shared, &arguments)?;
            if survey_blocks > 0 {
                self.gpu.launch(Kernel::JoinSurveys, survey_blocks, SURVEYS_SHARED, &arguments)?;
            }
        }
        let groups = self.network.parameter_count().div_ceil(PARAMETERS).max(1); // which count the batch as well
        if !clips {
            return self.gpu.launch(Kernel::Update, groups, UPDATE_SHARED, &arguments);
        }
        self.gpu.launch(Kernel::Gather, groups, UPDATE_SHARED, &arguments)?;
        self.gpu.launch(Kernel::Clip, 1, METRICS_SHARED, &arguments)?;
        self.gpu.launch(Kernel::MoveAll, self.training.most_blocks, 0, &arguments)
    }

    /// Queues the steps of a piece of a run.
    fn queue(&self, run: &Run, start: usize, images: usize) -> Result<()> {
        for (first, len) in pieces(images, run.batch_size) {
            let batch = start + first..start + first + len;
            self.step_on(&run.arguments, batch, (start + first) / run.batch_size, run.clips)?;
        }
        Ok(())
    }

    fn capture(&self, run: Run) -> Result<Epoch<G>> {
        let graph = |(start, images)| self.gpu.capture(&mut || self.queue(&run, start, images));
        let graphs = run.pieces().map(graph).collect::<Result<_>>()?;
        Ok(Epoch { run, graphs })
    }

    /// As these, but with the averaged parameters where there are some, in both their orders.
    fn answering(&self, arguments: Arguments) -> Result<Arguments> {
        let Some(average) = self.state.average() else { return Ok(arguments) };
        let (parameters, turned) = (self.gpu.address(average), self.turned_average.address(&self.gpu));
        let arguments = Arguments { parameters, turned, ..arguments };
        self.gpu.launch(Kernel::TurnAll, self.training.most_blocks, 0, &arguments)?;
        Ok(arguments)
    }

    /// Queues a kernel that takes images forward.
    fn forward(&self, kernel: Kernel, arguments: &Arguments, batch: Range<usize>) -> Result<()> {
        let room = &self.answers;
        let arguments = Arguments {
            first: batch.start as i32,
            images: batch.len() as i32,
            visit: self.layout.answer,
            scratch: self.memory_of(room),
            memory_len: room.len as i32,
            by_image: 0,
            ..*arguments
        };
        self.gpu.launch(kernel, batch.len().min(room.most_blocks), room.shared, &arguments)
    }

    /// As [`Engine::train_on`], of what was checked and is not augmented.
    fn train_resident(&mut self, training: &Training<'_>, progress: &Progress, metrics: &mut Metrics) -> Result<()> {
        let Training { dataset, order, batch_size, loss, optimizer, .. } = *training;
        let done = metrics.count as usize;
        if done == order.len() {
            return Ok(());
        }
        let weights = memory::collect(order.chunks(batch_size).map(|indices| loss.weight(dataset, indices)))?;
        let Arguments { bytes, floats, labels, mixes, values, .. } = self.load(dataset)?;
        self.make_room(order.len(), batch_size)?;
        let scales = weights.iter().map(|weight| losses::scale(*weight));
        self.loss.tell(&self.gpu, loss.encode(self.network.classes()), scales)?;
        self.order.write(&self.gpu, bytemuck::cast_slice(order))?;
        let order_at = self.order.address(&self.gpu);
        let arguments = Arguments { bytes, floats, labels, mixes, values, order: order_at, ..self.arguments() };
        let run = Run { arguments, images: order.len(), batch_size, clips: optimizer.clip_norm.is_some() };
        let is_captured = order.len().div_ceil(batch_size) <= MOST_CAPTURED;
        if is_captured && self.epoch.as_ref().is_none_or(|epoch| epoch.run != run) {
            self.epoch = None;
            self.epoch = Some(self.capture(run)?);
        }
        // After all that may lack memory, as steps must follow.
        self.begin(optimizer, order.len().div_ceil(batch_size), done / batch_size)?;
        for (piece, (start, images)) in run.pieces().enumerate().filter(|(_, (start, images))| start + images > done) {
            // A training may have been left within a piece, by an engine that looks up more often.
            let left = start.max(done)..start + images;
            if is_captured && left.start == start {
                let graph = self.epoch.as_ref().and_then(|epoch| epoch.graphs.get(piece));
                graph.map_or(Ok(()), |graph| self.gpu.replay(graph))?;
            } else {
                self.queue(&run, left.start, left.len())?;
            }
            self.gpu.synchronize()?;
            self.state.count_steps(left.len().div_ceil(batch_size) as u64);
            let sums = self.sums(left.clone())?;
            let batches = left.start / batch_size..left.end.div_ceil(batch_size);
            if !sums.loss.is_finite() {
                return Err(self.diverged(training, batches, sums.loss));
            }
            let (weight, answers) = (weights[batches].iter().sum(), loss.answers(left.len(), self.network.classes()));
            *metrics += Metrics { weight, answers, ..sums };
            if progress.advance(metrics)? {
                break;
            }
        }
        Ok(())
    }

    /// The error for some batches, in one of which the loss ceased to be finite.
    fn diverged(&self, training: &Training<'_>, batches: Range<usize>, loss: f64) -> Error {
        let Training { dataset, order, batch_size, optimizer, .. } = *training;
        let (first, count) = (batches.start * batch_size, order.len().min(batches.end * batch_size));
        let losses = self.losses.memory().and_then(|memory| self.read_floats(memory, count).ok()).unwrap_or_default();
        let broken = losses.iter().skip(first).position(|loss| !loss.is_finite()).unwrap_or(0);
        let place = (first + broken) / batch_size;
        let indices = &order[place * batch_size..order.len().min((place + 1) * batch_size)];
        let normalization = self.normalization.as_ref();
        let found = Divergence { loss, step: place + 1, rate: optimizer.rate(place), normalization };
        match self.read_floats(&self.parameters, self.network.parameter_count()) {
            Ok(parameters) => {
                let images = dataset.images(indices);
                let chance = Chance { seed: self.seed, step: self.state.steps(), place: 0 };
                found.error(&self.network, &parameters, (&images, indices.len()), chance)
            }
            Err(error) => error,
        }
    }

    /// Waits for images of a run and reads the sums of their losses and right answers.
    fn sums(&self, images: Range<usize>) -> Result<Metrics> {
        let (own, first) = (self.arguments(), (images.start * size_of::<f32>()) as u64);
        let (losses, correct) = (own.losses + first, own.correct + first);
        let arguments = Arguments { losses, correct, images: images.len() as i32, ..own };
        self.gpu.launch(Kernel::SumMetrics, 1, METRICS_SHARED, &arguments)?;
        let mut sums = [0f64; 2];
        self.gpu.read(&self.sums, bytemuck::cast_slice_mut(&mut sums))?;
        Ok(Metrics { loss: sums[0], correct: sums[1] as u64, count: images.len() as u64, ..Metrics::default() })
    }

    fn read_floats(&self, memory: &G::Memory, count: usize) -> Result<Vec<f32>> {
        let mut values = memory::zeros(count)?;
        self.gpu.read(memory, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }
}

impl<G: Gpu> Engine for CudaEngine<G> {
    fn network(&self) -> &Network {
        &self.network
    }

    fn step(&mut self, images: &Tensor, targets: Targets<'_>, loss: &Loss, optimizer: &Optimizer) -> Result<Metrics> {
        let objective = check_step(&self.network, images, targets, loss, optimizer)?;
        let n = objective.len();
        with_images(images, |images| {
            self.make_room(n, n)?;
            let [labels, values] = self.load_targets(targets)?;
            let arguments = Arguments { labels, values, ..self.load_batch(&images)? };
            self.loss.tell(&self.gpu, loss.encode(self.network.classes()), std::iter::once(objective.scale()))?;
            self.begin(optimizer, 1, 0)?;
            self.step_on(&arguments, 0..n, 0, optimizer.clip_norm.is_some())?;
            self.state.count_steps(1);
            let sums = self.sums(0..n)?;
            Ok(Metrics { weight: objective.weight(), answers: objective.answers(), count: n as u64, ..sums })
        })?
    }

    fn train_on(&mut self, training: &Training<'_>, progress: &Progress, metrics: &mut Metrics) -> Result<()> {
        check_training(&self.network, training, metrics.count, progress)?;
        let Some(augment) = training.augment else { return self.train_resident(training, progress, metrics) };
        // The GPU has no augmentation of its own: a dataset like any other is made first, after a pause anew.
        let Training { dataset, order, partners, .. } = *training;
        let augmented = dataset.augmented(order, augment, partners, None)?;
        let order = memory::collect(0..order.len() as u32)?;
        let training = Training { dataset: &augmented, order: &order, augment: None, partners: &[], ..*training };
        self.train_resident(&training, progress, metrics)
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
        let outputs = self.network.classes();
        if let Some(tally) = &mut tally {
            tally.begin(loss, outputs)?;
        }
        progress.check()?;
        if indices.is_empty() {
            return Ok(());
        }
        let Arguments { bytes, floats, labels, mixes, values, .. } = self.load(dataset)?;
        self.make_room(indices.len(), 0)?;
        if tally.is_some() {
            let row = outputs.saturating_mul(size_of::<f32>());
            self.logits.room(&self.gpu, indices.len().saturating_mul(row))?;
        }
        self.loss.tell(&self.gpu, loss.encode(outputs), std::iter::once(0.0))?;
        self.order.write(&self.gpu, bytemuck::cast_slice(indices))?;
        let own = self.answering(self.arguments())?;
        let logits = if tally.is_some() { own.logits } else { 0 }; // which are kept where they have a place
        let order = self.order.address(&self.gpu);
        let arguments = Arguments { bytes, floats, labels, mixes, values, order, logits, ..own };
        let before = metrics.count as usize;
        for (start, images) in
            pieces(indices.len(), EVALUATION_BATCH).skip((metrics.count as usize).div_ceil(EVALUATION_BATCH))
        {
            self.forward(Kernel::Score, &arguments, start..start + images)?;
            let weight = loss.weight(dataset, &indices[start..start + images]);
            *metrics += Metrics { weight, answers: loss.answers(images, outputs), ..self.sums(start..start + images)? };
            if progress.advance(metrics)? {
                break;
            }
        }
        if let (Some(tally), Some(logits)) = (tally, self.logits.memory()) {
            let done = before..metrics.count as usize;
            let rows = self.read_floats(logits, done.end * outputs)?;
            tally.count(&rows[done.start * outputs..], dataset.labels_of(&indices[done]));
        }
        Ok(())
    }

    /// Of the GPU's memory: what is the network's own, without batches and datasets.
    fn size(&self) -> usize {
        let scratch = self.training.scratch_len().max(self.answers.scratch_len());
        let averages = 2 * usize::from(self.state.average().is_some());
        let vectors = (3 + averages + self.state.planes().len()) * self.network.parameter_count();
        (vectors + scratch + self.layout.batch_len) * size_of::<f32>()
    }

    fn predict(&mut self, images: &Tensor) -> Result<Tensor> {
        let (n, classes) = (check_images(&self.network, images)?, self.network.classes());
        let logits = with_images(images, |images| {
            if n == 0 {
                return Ok(Vec::new());
            }
            check_count(n, MOST)?;
            self.logits.room(&self.gpu, n.saturating_mul(classes).saturating_mul(size_of::<f32>()))?;
            let arguments = self.load_batch(&images)?;
            let arguments = self.answering(arguments)?;
            for (start, images) in pieces(n, EVALUATION_BATCH) {
                self.forward(Kernel::Predict, &arguments, start..start + images)?;
            }
            match self.logits.memory() {
                Some(memory) => self.read_floats(memory, n * classes),
                None => Ok(Vec::new()),
            }
        })??;
        Ok(Tensor::from_vec(logits, (n, classes), &Device::Cpu)?)
    }

    fn flat_parameters(&self) -> Result<Cow<'_, [f32]>> {
        let shown = self.state.average().unwrap_or(&self.parameters);
        self.read_floats(shown, self.network.parameter_count()).map(Cow::Owned)
    }

    fn flat_gradient(&self) -> Result<Cow<'_, [f32]>> {
        self.read_floats(&self.gradient, self.network.parameter_count()).map(Cow::Owned)
    }

    fn set_flat_parameters(&mut self, parameters: Vec<f32>) -> Result<()> {
        check_parameters(&self.network, &parameters)?;
        self.reset_optimizer()?; // the one that may lack memory comes first
        self.gpu.write(&mut self.parameters, bytemuck::cast_slice(&parameters))?;
        if !parameters.is_empty() {
            self.gpu.launch(Kernel::TurnAll, self.training.most_blocks, 0, &self.arguments())?;
        }
        Ok(())
    }

    fn normalization(&self) -> Option<&Normalization> {
        self.normalization.as_ref()
    }

    fn set_normalization(&mut self, normalization: Option<Normalization>) -> Result<()> {
        check_normalization(&self.network, normalization.as_ref())?;
        if let Some(normalization) = &normalization {
            self.channels.write(&self.gpu, bytemuck::cast_slice(&normalization.channels()))?;
        }
        self.normalization = normalization;
        Ok(())
    }

    fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    fn reset_optimizer(&mut self) -> Result<()> {
        self.state.reset(|plane| self.gpu.clear(plane))
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let read = |memory: &G::Memory| self.read_floats(memory, self.network.parameter_count());
        let mut batches = 0u32;
        self.gpu.read(&self.batches, bytemuck::bytes_of_mut(&mut batches))?;
        let counted = (batches.into(), self.seed);
        Snapshot::of(&self.state, read(&self.parameters)?, self.normalization(), counted, read)
    }

    fn restore(&mut self, snapshot: &Snapshot, owner: u64) -> Result<()> {
        let state = snapshot.state(&self.network, owner, |plane| {
            let mut memory = self.gpu.allocate(size_of_val(plane))?;
            self.gpu.write(&mut memory, bytemuck::cast_slice(plane))?;
            Ok(memory)
        })?;
        if let Some(average) = &snapshot.average {
            self.turned_average.room(&self.gpu, size_of_val(&average[..]))?;
        }
        self.set_normalization(snapshot.normalization.clone())?;
        self.set_flat_parameters(memory::copy(&snapshot.parameters)?)?;
        self.gpu.write(&mut self.batches, bytemuck::bytes_of(&(snapshot.batches as u32)))?;
        self.state = state;
        self.seed = snapshot.seed;
        Ok(())
    }

    fn announce_optimizer(&mut self, id: u64) {
        self.state.announce(id);
    }
}

/// Images that the kernels can count: up to `most`.
fn check_count(images: usize, most: usize) -> Result<()> {
    if images <= most {
        return Ok(());
    }
    let message =
        format!("{images} images were given at once, but the CUDA engine counts to {most}; give fewer at a time");
    Err(Error::new(Code::OutOfMemory, message))
}

/// `0..n` in pieces of `len`, the last perhaps shorter: where each starts, and how long it is.
fn pieces(n: usize, len: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(len).map(move |start| (start, len.min(n - start)))
}

#[cfg(all(test, feature = "emulation"))]
mod tests {
    use super::emulated::Emulated;
    use super::*;
    use crate::dataset::DatasetBuilder;
    use crate::layers::{BatchNorm, Conv2d, Layer};
    use crate::optimizers::{Rate, Sgd};

    fn engine(channels: usize, most_shared: usize) -> CudaEngine<Emulated> {
        let conv = Layer::Conv2d(Conv2d::new(channels, [3, 3]));
        let network = Network::new(&[conv], [channels, 3, 3]).unwrap();
        CudaEngine::new(Emulated::new(most_shared, 10), network).unwrap()
    }

    #[test]
    fn a_batch_has_as_many_blocks_as_run_at_once_and_their_gradients_have_room() {
        let (small, large) = (engine(2, 227 << 10), engine(512, 227 << 10));
        assert_eq!([1, 39, 40, 100].map(|images| small.training_blocks(images)), [1, 39, 40, 40]);
        assert_eq!(large.training_blocks(100), (256 << 20) / (4 * 4 * (512 * 512 * 9 + 512)));
    }

    #[test]
    fn size_is_parameters_and_what_takes_the_place_of_shared_memory() {
        let vectors = 4 * 4 * (2 * 2 * 9 + 2);
        assert_eq!(engine(2, 227 << 10).size(), vectors);
        let (vectors, values) = (4 * 4 * (104 * 104 * 9 + 104), 104 * 9 + 2 * 104);
        assert_eq!(engine(104, 4 << 10).size(), vectors + 4 * 20 * values);
    }

    fn ten_images() -> Dataset {
        let mut builder = DatasetBuilder::new(10, [2, 3, 3]).unwrap();
        builder.push_pixels(&(0..180).collect::<Vec<u8>>()).unwrap();
        builder.push_labels(&[0, 1, 0, 1, 0, 1, 0, 1, 0, 1]).unwrap();
        builder.finish().unwrap()
    }

    /// The parameters after three batches more.
    fn trained(engine: &mut CudaEngine<Emulated>, dataset: &Dataset, optimizer: impl Into<Optimizer>) -> Vec<f32> {
        let order: Vec<u32> = (0..10).collect();
        engine.train(dataset, &order, 4, &Loss::default(), &optimizer.into(), &Progress::default()).unwrap();
        engine.read_floats(&engine.parameters, engine.network.parameter_count()).unwrap()
    }

    /// What is captured reads the settings from the GPU's memory. Without its graphs, a run that were captured anew would train.
    #[test]
    fn another_learning_rate_captures_nothing_anew() {
        let (mut engine, dataset) = (engine(2, 227 << 10), ten_images());
        let sgd = Sgd { learning_rate: 0.1, momentum: 0.5, weight_decay: 0.01, ..Sgd::PLAIN };
        let first = trained(&mut engine, &dataset, sgd);
        let second = trained(&mut engine, &dataset, Sgd { learning_rate: 0.2, ..sgd });
        assert_ne!(first, second);
        engine.epoch.as_mut().unwrap().graphs.clear();
        let rates = vec![Rate { learning_rate: 0.1, momentum: Some(0.8) }; 3];
        let averaging = Some(Averaging::Ema(Ema { decay: 0.5 }));
        for optimizer in [
            Sgd { learning_rate: 0.3, ..sgd }.into(),
            Sgd { momentum: 0.0, weight_decay: 0.0, ..sgd }.into(),
            Optimizer { rates, averaging, ..sgd.into() },
        ] {
            assert_eq!(trained(&mut engine, &dataset, optimizer), second);
        }
        let clipped = |most| Optimizer { clip_norm: Some(most), ..sgd.into() };
        let third = trained(&mut engine, &dataset, clipped(0.1));
        assert_ne!(third, second, "a step that clips is of other kernels");
        engine.epoch.as_mut().unwrap().graphs.clear();
        assert_eq!(trained(&mut engine, &dataset, clipped(0.2)), third);
    }

    /// As the kernels have counted them, and as the engine has.
    fn steps(engine: &CudaEngine<Emulated>) -> [u64; 2] {
        let mut optimizer = DeviceOptimizer::default();
        engine.gpu.read(&engine.optimizer, bytemuck::bytes_of_mut(&mut optimizer)).unwrap();
        [optimizer.steps, engine.state.steps()]
    }

    #[test]
    fn the_kernels_count_the_steps() {
        let (mut engine, dataset) = (engine(2, 227 << 10), ten_images());
        for expected in [3, 6] {
            trained(&mut engine, &dataset, Sgd::new(0.1).unwrap());
            assert_eq!(steps(&engine), [expected; 2]);
        }
        engine.reset_optimizer().unwrap();
        let images = Tensor::zeros((1, 2, 3, 3), candle_core::DType::F32, &Device::Cpu).unwrap();
        engine.step(&images, Targets::Labels(&[1]), &Loss::default(), &Sgd::new(0.1).unwrap().into()).unwrap();
        assert_eq!(steps(&engine), [1; 2]);
    }

    /// Of batches of one image, both what is captured and what is queued. Where it stops, or whether it does, is the machine's affair.
    #[test]
    fn steps_are_counted_up_to_where_a_training_is_cancelled() {
        let dataset = ten_images();
        for images in [MOST_CAPTURED as u32, 2 * MOST_CAPTURED as u32] {
            let (mut engine, progress) = (engine(2, 227 << 10), Progress::default());
            let order: Vec<u32> = (0..images).map(|i| i % 10).collect();
            let error = std::thread::scope(|scope| {
                scope.spawn(|| {
                    while progress.images() == 0 {
                        std::thread::yield_now();
                    }
                    progress.cancel();
                });
                engine.train(&dataset, &order, 1, &Loss::default(), &Sgd::new(0.1).unwrap().into(), &progress).err()
            });
            assert!(error.is_none_or(|error| error.code == Code::Cancelled));
            assert_eq!(steps(&engine), [progress.images(); 2]);
        }
    }

    /// Of a normalisation, all images of a batch are in memory at once.
    #[test]
    fn a_batch_beyond_all_memory_is_refused_before_it_begins() {
        let layers = [Layer::Conv2d(Conv2d::new(1 << 20, [1, 1])), Layer::BatchNorm(BatchNorm::default())];
        let network = Network::new(&layers, [1, 1, 1]).unwrap();
        let mut engine = CudaEngine::new(Emulated::new(227 << 10, 10), network).unwrap();
        let (count, sgd) = (1 << 23, Sgd::new(0.1).unwrap().into()); // of 24 MiB each
        let images = Tensor::zeros((count, 1, 1, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
        let error = engine.step(&images, Targets::Labels(&vec![0; count]), &Loss::default(), &sgd).unwrap_err();
        assert_eq!((error.code, steps(&engine)), (Code::OutOfMemory, [0; 2]));
    }

    #[test]
    fn more_images_than_the_kernels_count_are_refused() {
        assert_eq!(check_count(MOST, MOST), Ok(()));
        let error = check_count(MOST + 1, MOST).unwrap_err();
        assert_eq!(error.code, Code::OutOfMemory);
        assert!(error.message.starts_with("2146435072 images were given at once"), "{error}");
    }
}
