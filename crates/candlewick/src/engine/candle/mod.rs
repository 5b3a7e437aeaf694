//! The reference engine: any network in candle's operations and candle-nn's layers, with candle's gradients, on any device of
//! candle's. It is slow and plainly right, and shares no arithmetic with the other engines.
//!
//! ```text
//!   images ──► forward, layer by layer ──► logits ──► cross entropy ──► backward, layer by layer ──► gradients ──► optimiser
//! ```
//!
//! What a layer, an activation or an optimiser is in candle's words, each says itself.

mod devices;

use super::divergence::{Divergence, Unless};
use super::images::{Images, with_images};
use super::input::{check_images, check_normalization, check_parameters, check_step, check_training};
use super::pool::{self, Lease};
use super::{Engine, Progress, Snapshot, Training};
use crate::dataset::{Augmented, Dataset};
use crate::engine::schedule::schedule;
use crate::error::{Code, Error, Result};
use crate::layers::{Operation, Reference};
use crate::losses::{Gathered, Loss, Objective, Targets};
use crate::memory::{self, check_room};
use crate::metrics::{Metrics, Tally};
use crate::network::{Network, Parameter, PlacedLayer, Work};
use crate::normalization::Normalization;
use crate::optimizers::{Optimizer, Rate, State};
use crate::random::Chance;
use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, Var};
pub(super) use devices::{check, create, devices};
use std::borrow::Cow;
use std::ops::Range;

/// Images of an evaluation or a prediction that are answered at once.
const ANSWERED_AT_ONCE: usize = 256;

/// The reference engine.
pub struct CandleEngine {
    network: Network,
    device: Device,
    dtype: DType,
    threads: usize,
    parameters: Vec<Var>,
    /// Those of the layers' operations, one after the other, in the schedule of training.
    places: Vec<usize>,
    normalization: Option<Normalization>,
    seed: u64,
    /// Batches trained on.
    batches: u64,
    /// Of the last step; empty before the first.
    gradients: Vec<Tensor>,
    /// A plane is a tensor for each parameter.
    state: State<Vec<Tensor>>,
}

impl CandleEngine {
    /// Runs `network` on a device of candle's, in float32, or in float64 for a closer look; on the CPU with `threads` threads,
    /// all processors' for `None`. All parameters are zero until they are set.
    ///
    /// # Errors
    /// `InvalidArgument` for another type or no threads, `OutOfMemory`.
    pub fn new(network: Network, device: Device, dtype: DType, threads: Option<usize>) -> Result<Self> {
        if !matches!(dtype, DType::F32 | DType::F64) {
            let message = format!("the type is {}; it must be f32 or f64", dtype.as_str());
            return Err(Error::new(Code::InvalidArgument, message));
        }
        let threads = pool::check(threads)?;
        let mut engine = Self {
            places: places(&network),
            normalization: None,
            seed: 0,
            batches: 0,
            network,
            device,
            dtype,
            threads,
            parameters: Vec::new(),
            gradients: Vec::new(),
            state: State::new(),
        };
        // As they are set, parameters are drawn, and copied twice.
        engine.require_room(0, 0, 3)?;
        engine.require_room_to_answer(1)?;
        let zeros = |p: &Parameter| Var::zeros(p.shape.as_slice(), dtype, &engine.device);
        engine.parameters = engine.network.parameters.iter().map(zeros).collect::<candle_core::Result<_>>()?;
        Ok(engine)
    }

    /// The gradients of the last step as they are, in the network's order; none before the first.
    pub fn exact_gradients(&self) -> &[Tensor] {
        &self.gradients
    }

    /// Logits (N, classes) of images of the engine's own type, on its device.
    ///
    /// # Errors
    /// `InvalidShape`, `Internal`.
    pub fn exact_logits(&self, images: &Tensor) -> Result<Tensor> {
        check_images(&self.network, images)?;
        let (mut x, parameters) = (images.clone(), self.shown());
        for placed in &self.network.layers {
            x = forward(placed, &x, &parameters, None)?;
        }
        Ok(x.flatten_from(1)?)
    }

    fn lease(&self) -> Result<Lease> {
        pool::lease(self.threads)
    }

    /// Memory for a step on so many images, roughly: of each layer's values candle keeps those on the way, and a gradient of each.
    fn require_room_to_step(&self, images: usize, optimizer: &Optimizer) -> Result<()> {
        // Gradients, and what the optimiser keeps and has on the way.
        let copies = 5 + optimizer.state().len() + 2 * usize::from(optimizer.averaging.is_some());
        self.require_room(self.values().fold(0, usize::saturating_add).saturating_mul(6), images, copies)
    }

    /// Memory for the answers to as many of these images as are answered at once.
    fn require_room_to_answer(&self, images: usize) -> Result<()> {
        self.require_room(self.values().max().unwrap_or(0).saturating_mul(2), images.min(ANSWERED_AT_ONCE), 0)
    }

    /// What goes into each layer, comes out, and is on the way, of one image.
    fn values(&self) -> impl Iterator<Item = usize> {
        self.network.layers.iter().map(|placed| len(&placed.input_shape).saturating_add(values(placed)))
    }

    /// Where the processor has no memory for what candle asks for, the process ends.
    fn require_room(&self, of_an_image: usize, images: usize, copies_of_parameters: usize) -> Result<()> {
        let parameters = self.network.parameter_count().saturating_mul(copies_of_parameters);
        let numbers = of_an_image.saturating_mul(images).saturating_add(parameters);
        match self.device {
            Device::Cpu => check_room(numbers.saturating_mul(self.dtype.size_in_bytes())),
            Device::Cuda(_) | Device::Metal(_) => Ok(()),
        }
    }

    /// The images of a range, as numbers of the engine's type on its device, normalized.
    fn images(&self, images: &Images<'_>, range: Range<usize>) -> Result<Tensor> {
        let (count, len) = (range.len(), self.network.image_len());
        let values = range.start * len..range.end * len;
        let [c, h, w] = self.network.input_shape;
        let of_bytes =
            |bytes: &[u8]| Tensor::from_slice(bytes, (count, c, h, w), &self.device)?.to_dtype(self.dtype)? / 255.0;
        let of_floats =
            |floats: &[f32]| Tensor::from_slice(floats, (count, c, h, w), &self.device)?.to_dtype(self.dtype);
        let images = match images {
            Images::Bytes(bytes) => of_bytes(&bytes[values])?,
            Images::Floats(floats) => of_floats(&floats[values])?,
            Images::Indexed(pixels, indices) => of_bytes(&rows(pixels, len, &indices[range])?)?,
            Images::IndexedFloats(floats, indices) => of_floats(&rows(floats, len, &indices[range])?)?,
        };
        let Some(Normalization { mean, deviation }) = &self.normalization else { return Ok(images) };
        let of_channels = |numbers: &[f64]| {
            Tensor::new(numbers, &Device::Cpu)?.to_dtype(self.dtype)?.to_device(&self.device)?.reshape((1, c, 1, 1))
        };
        Ok(images.broadcast_sub(&of_channels(mean)?)?.broadcast_div(&of_channels(deviation)?)?)
    }

    /// The mean loss of a batch, to go back from, and its metrics.
    fn score(&self, outputs: &Tensor, objective: &Objective<'_>) -> Result<(Tensor, Metrics)> {
        let (sum, correct) = objective.reference(outputs)?;
        // Metal has no float64.
        let loss = sum.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
        let (weight, answers) = (objective.weight(), objective.answers());
        let mean = (sum * if weight > 0.0 { 1.0 / weight } else { 0.0 })?;
        Ok((mean, Metrics { loss, weight, correct, answers, count: objective.len() as u64 }))
    }

    /// candle goes back by recursion. So each layer's graph is one of its own, and a deep network needs no deep stack: its input is
    /// a variable, and its output goes on as a plain tensor.
    fn step_on(
        &mut self,
        images: &Images<'_>,
        objective: &Objective<'_>,
        optimizer: &Optimizer,
        (place, unless): (usize, Unless),
    ) -> Result<Metrics> {
        let mut passed = Vec::new();
        let mut x = self.images(images, 0..objective.len())?;
        let parameters: Vec<_> = self.parameters.iter().map(|p| p.as_tensor().clone()).collect();
        self.batches += 1;
        let mut training = Passing {
            chance: Chance { seed: self.seed, step: self.batches, place: 0 },
            places: self.places.iter(),
            seen: Vec::new(),
        };
        for placed in &self.network.layers {
            let own = &self.parameters[placed.parameters.clone()];
            let input = Var::from_tensor(&x)?;
            let output = forward(placed, &input, &parameters, Some(&mut training))?;
            x = output.detach();
            passed.push((placed, own, input, output));
        }
        let logits = Var::from_tensor(&x.flatten_from(1)?)?;
        let (loss, metrics) = self.score(&logits, objective)?;
        if unless == Unless::Diverged && !metrics.loss.is_finite() {
            self.batches -= 1; // the step was not made
            return Ok(metrics);
        }
        let mut gradient = gradient_by(&loss.backward()?, &logits)?.reshape(x.dims())?;
        let mut gradients = Vec::new();
        while let Some((placed, own, input, output)) = passed.pop() {
            let found = (output * gradient)?.sum_all()?.backward()?;
            gradient = gradient_by(&found, &input)?;
            let places = &self.network.parameters[placed.parameters.clone()];
            for (parameter, place) in own.iter().zip(places).rev() {
                // As on the other engines, what no step moves has none.
                gradients.push(if place.trainable {
                    gradient_by(&found, parameter)?
                } else {
                    parameter.zeros_like()?
                });
            }
        }
        gradients.reverse();
        self.gradients = gradients;
        self.update(optimizer, optimizer.rate(place), training.seen)?;
        Ok(metrics)
    }

    /// The optimiser's step, and that of the statistics to what the batch has made of them.
    fn update(&mut self, optimizer: &Optimizer, rate: Rate, statistics: Vec<(usize, Tensor)>) -> Result<()> {
        let zeros = || Ok(self.parameters.iter().map(|p| p.zeros_like()).collect::<candle_core::Result<_>>()?);
        // `Var::set` writes to where a parameter is.
        let copy = || Ok(self.parameters.iter().map(|p| p.copy()).collect::<candle_core::Result<_>>()?);
        self.state.hand_over(optimizer, zeros, copy, |plane| clear(plane))?;
        for (parameter, statistic) in statistics {
            self.parameters[parameter].set(&statistic)?;
        }
        let (number, scale) = (self.state.count_steps(1), self.scale(optimizer)?);
        let planes = &mut self.state.planes_mut()[..optimizer.state().len()];
        let pairs = self.parameters.iter().zip(&self.gradients).enumerate();
        for (i, (parameter, gradient)) in pairs.filter(|(i, _)| self.network.parameters[*i].trainable) {
            let gradient = scale.map_or(Ok(gradient.clone()), |scale| gradient * scale)?;
            let mut state: Vec<_> = planes.iter().map(|plane| plane[i].clone()).collect();
            let (is_weight, w) = (self.network.parameters[i].is_weight(), parameter.as_detached_tensor());
            parameter.set(&optimizer.reference(number, rate, is_weight, &w, &gradient, &mut state)?)?;
            for (plane, state) in planes.iter_mut().zip(state) {
                plane[i] = state;
            }
        }
        if let (Some(averaging), Some(average)) = (&optimizer.averaging, self.state.average_mut()) {
            for (average, parameter) in average.iter_mut().zip(&self.parameters) {
                *average = averaging.reference(number, average, parameter)?;
            }
        }
        Ok(())
    }

    /// What the gradients are multiplied by where they are clipped: torch.nn.utils.clip_grad_norm_, word by word.
    fn scale(&self, optimizer: &Optimizer) -> Result<Option<f64>> {
        let Some(most) = optimizer.clip_norm else { return Ok(None) };
        let mut squares = 0.0;
        for gradient in &self.gradients {
            let gradient = gradient.to_device(&Device::Cpu)?.to_dtype(DType::F64)?; // Metal has no float64
            squares += gradient.sqr()?.sum_all()?.to_scalar::<f64>()?;
        }
        let coefficient = f64::from(most) / (squares.sqrt() + 1e-6);
        Ok(Some(coefficient.clamp(0.0, 1.0)))
    }

    /// What answers are given by: the average, where there is one.
    fn shown(&self) -> Vec<Tensor> {
        let own = || self.parameters.iter().map(Var::as_detached_tensor).collect();
        self.state.average().cloned().unwrap_or_else(own)
    }

    /// The inverse of [`CandleEngine::flat`], of the engine's own type, on its device.
    fn tensors(&self, numbers: &[f32]) -> Result<Vec<Tensor>> {
        let tensor = |p: &Parameter| {
            let values = Tensor::from_slice(&numbers[p.range.clone()], p.shape.as_slice(), &self.device)?;
            Ok(values.to_dtype(self.dtype)?)
        };
        self.network.parameters.iter().map(tensor).collect()
    }

    /// All numbers of some tensors, one for each parameter, end to end.
    fn flat<'a>(&self, tensors: impl Iterator<Item = &'a Tensor>) -> Result<Vec<f32>> {
        let mut all = memory::room(self.network.parameter_count())?;
        for tensor in tensors {
            all.extend(to_host(tensor)?);
        }
        Ok(all)
    }
}

impl Engine for CandleEngine {
    fn network(&self) -> &Network {
        &self.network
    }

    fn size(&self) -> usize {
        let parameters = self.parameters.iter().map(Var::as_tensor);
        let tensors = parameters.chain(&self.gradients).chain(self.state.kept().flatten());
        tensors.map(|t| t.elem_count() * t.dtype().size_in_bytes()).sum()
    }

    fn step(&mut self, images: &Tensor, targets: Targets<'_>, loss: &Loss, optimizer: &Optimizer) -> Result<Metrics> {
        let objective = check_step(&self.network, images, targets, loss, optimizer)?;
        self.require_room_to_step(objective.len(), optimizer)?;
        let threads = self.lease()?;
        with_images(images, |images| {
            threads.install(|| self.step_on(&images, &objective, optimizer, (0, Unless::Never)))
        })?
    }

    fn train_on(&mut self, training: &Training<'_>, progress: &Progress, metrics: &mut Metrics) -> Result<()> {
        check_training(&self.network, training, metrics.count, progress)?;
        let Training { dataset, loss, optimizer, .. } = *training;
        let largest = training.largest();
        self.require_room_to_step(largest, optimizer)?;
        let mut gathered = Gathered::with_room(loss, dataset, largest)?;
        let mut augmented = Augmented::with_room(training, largest)?;
        self.lease()?.install(|| {
            for (place, indices) in training.batches(metrics.count) {
                let objective = gathered.objective(loss, dataset, indices, augmented.mixing())?;
                let images = augmented.images(dataset, indices);
                let batch = self.step_on(&images, &objective, optimizer, (place, Unless::Diverged))?;
                if !batch.loss.is_finite() {
                    let chance = Chance { seed: self.seed, step: self.batches + 1, place: 0 };
                    let found = Divergence {
                        loss: batch.loss,
                        step: place + 1,
                        rate: optimizer.rate(place),
                        normalization: self.normalization.as_ref(),
                    };
                    let parameters = self.flat(self.parameters.iter().map(Var::as_tensor))?;
                    return Err(found.error(&self.network, &parameters, (&images, indices.len()), chance));
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
        if let Some(tally) = &mut tally {
            tally.begin(loss, self.network.classes())?;
        }
        progress.check()?;
        self.require_room_to_answer(indices.len())?;
        let mut gathered = Gathered::with_room(loss, dataset, indices.len())?;
        let objective = gathered.objective(loss, dataset, indices, None)?;
        let images = dataset.images(indices);
        self.lease()?.install(|| {
            for batch in batches(indices.len()).skip((metrics.count as usize).div_ceil(ANSWERED_AT_ONCE)) {
                let logits = self.exact_logits(&self.images(&images, batch.clone())?)?;
                *metrics += self.score(&logits, &objective.of(batch.clone()))?.1;
                if let Some(tally) = &mut tally {
                    tally.count(&to_host(&logits)?, dataset.labels_of(&indices[batch]));
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
        self.require_room_to_answer(n)?;
        let classes = self.network.classes();
        let mut logits = memory::room(n.saturating_mul(classes))?;
        let threads = self.lease()?;
        with_images(images, |images| {
            threads.install(|| {
                for batch in batches(n) {
                    logits.extend(to_host(&self.exact_logits(&self.images(&images, batch)?)?)?);
                }
                Ok(Tensor::from_vec(logits, (n, classes), &Device::Cpu)?)
            })
        })?
    }

    fn flat_parameters(&self) -> Result<Cow<'_, [f32]>> {
        self.flat(self.shown().iter()).map(Cow::Owned)
    }

    fn flat_gradient(&self) -> Result<Cow<'_, [f32]>> {
        if self.gradients.is_empty() {
            return memory::zeros(self.network.parameter_count()).map(Cow::Owned);
        }
        self.flat(self.gradients.iter()).map(Cow::Owned)
    }

    fn set_flat_parameters(&mut self, parameters: Vec<f32>) -> Result<()> {
        check_parameters(&self.network, &parameters)?;
        for (variable, values) in self.parameters.iter().zip(self.tensors(&parameters)?) {
            variable.set(&values)?;
        }
        self.reset_optimizer()
    }

    fn normalization(&self) -> Option<&Normalization> {
        self.normalization.as_ref()
    }

    fn set_normalization(&mut self, normalization: Option<Normalization>) -> Result<()> {
        check_normalization(&self.network, normalization.as_ref())?;
        self.normalization = normalization;
        Ok(())
    }

    fn set_seed(&mut self, seed: u64) {
        self.seed = seed;
    }

    fn reset_optimizer(&mut self) -> Result<()> {
        self.state.reset(|plane| clear(plane))
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let parameters = self.flat(self.parameters.iter().map(Var::as_tensor))?;
        let counted = (self.batches, self.seed);
        Snapshot::of(&self.state, parameters, self.normalization(), counted, |plane| self.flat(plane.iter()))
    }

    fn restore(&mut self, snapshot: &Snapshot, owner: u64) -> Result<()> {
        let state = snapshot.state(&self.network, owner, |plane| self.tensors(plane))?;
        for (variable, values) in self.parameters.iter().zip(self.tensors(&snapshot.parameters)?) {
            variable.set(&values)?;
        }
        self.state = state;
        self.normalization.clone_from(&snapshot.normalization);
        (self.batches, self.seed) = (snapshot.batches, snapshot.seed);
        Ok(())
    }

    fn announce_optimizer(&mut self, id: u64) {
        self.state.announce(id);
    }
}

fn clear(plane: &mut [Tensor]) -> Result<()> {
    for tensor in plane {
        *tensor = tensor.zeros_like()?;
    }
    Ok(())
}

/// The places of the layers' own operations in the schedule of training, which has them in the same order.
fn places(network: &Network) -> Vec<usize> {
    let is_own = |operation: &Operation| !matches!(operation, Operation::Activation(_) | Operation::Add(_));
    let stages = schedule(network, true);
    stages.iter().enumerate().filter(|(_, stage)| is_own(&stage.operation)).map(|(place, _)| place).collect()
}

/// What a pass forward in training knows and finds.
struct Passing<'a> {
    chance: Chance,
    /// Of the operations to come.
    places: std::slice::Iter<'a, usize>,
    /// The parameters that the batch moves without a step.
    seen: Vec<(usize, Tensor)>,
}

/// The name of the first layer of which numbers come for a batch that are not finite, in training, with these parameters.
///
/// # Errors
/// `OutOfMemory`, `Internal`.
pub(super) fn first_broken_layer(
    network: &Network,
    parameters: &[f32],
    normalization: Option<&Normalization>,
    (images, count): (&Images<'_>, usize),
    chance: Chance,
) -> Result<Option<String>> {
    let mut engine = CandleEngine::new(network.clone(), Device::Cpu, DType::F32, None)?;
    engine.set_flat_parameters(memory::copy(parameters)?)?;
    engine.set_normalization(normalization.cloned())?;
    engine.require_room(engine.values().fold(0, usize::saturating_add).saturating_mul(2), count, 0)?;
    let parameters: Vec<_> = engine.parameters.iter().map(Var::as_detached_tensor).collect();
    let mut passing = Passing { chance, places: engine.places.iter(), seen: Vec::new() };
    let mut x = engine.images(images, 0..count)?;
    for placed in &network.layers {
        x = forward(placed, &x, &parameters, Some(&mut passing))?.detach();
        if !to_host(&x)?.iter().all(|value| value.is_finite()) {
            return Ok(Some(placed.name.clone()));
        }
    }
    Ok(None)
}

/// A layer and its activation.
fn forward(
    placed: &PlacedLayer,
    x: &Tensor,
    parameters: &[Tensor],
    mut training: Option<&mut Passing<'_>>,
) -> Result<Tensor> {
    let y = match &placed.work {
        Work::Nothing => x.clone(),
        Work::Operation(operation) => {
            let own = &parameters[placed.parameters.clone()];
            match training {
                None => operation.reference(x, own)?,
                Some(training) => {
                    let place = *training.places.next().expect("a place for each operation");
                    let chance = Chance { place, ..training.chance };
                    let (y, statistics) = operation.reference_in_training(x, own, chance)?;
                    training.seen.extend(statistics.into_iter().map(|(i, value)| (placed.parameters.start + i, value)));
                    y
                }
            }
        }
        Work::Sum { body, shortcut } => {
            let mut way = |layers: &[PlacedLayer]| {
                layers.iter().try_fold(x.clone(), |x, placed| forward(placed, &x, parameters, training.as_deref_mut()))
            };
            (way(body)? + way(shortcut)?)?
        }
    };
    // A flattened image has another shape, and a pooled one no height and no width.
    let shape: Vec<_> = std::iter::once(x.dim(0)?).chain(placed.output_shape.iter().copied()).collect();
    let y = y.reshape(shape)?;
    Ok(placed.activation.map_or(Ok(y.clone()), |function| function.reference(&y))?)
}

fn len(shape: &[usize]) -> usize {
    shape.iter().product()
}

/// What comes out of a layer, and is on the way, of one image.
fn values(placed: &PlacedLayer) -> usize {
    let on_the_way = match &placed.work {
        Work::Nothing => 0,
        Work::Operation(operation) => operation.values_on_the_way(),
        Work::Sum { body, shortcut } => body.iter().chain(shortcut).map(values).fold(0, usize::saturating_add),
    };
    len(&placed.output_shape).saturating_add(on_the_way)
}

/// Detached: a gradient that remembers where it comes from keeps all the values of the batch.
fn gradient_by(found: &GradStore, variable: &Var) -> Result<Tensor> {
    Ok(found.get(variable).map_or_else(|| variable.zeros_like(), |gradient| Ok(gradient.detach()))?)
}

/// The images of an evaluation, as many at a time as are answered at once.
fn batches(images: usize) -> impl Iterator<Item = Range<usize>> {
    (0..images).step_by(ANSWERED_AT_ONCE).map(move |start| start..(start + ANSWERED_AT_ONCE).min(images))
}

/// Copies of the images of so many values that `indices` names, end to end.
fn rows<T: Copy>(values: &[T], len: usize, indices: &[u32]) -> Result<Vec<T>> {
    let mut all = memory::room(indices.len().saturating_mul(len))?;
    indices.iter().for_each(|index| all.extend_from_slice(&values[*index as usize * len..][..len]));
    Ok(all)
}

/// All numbers of a tensor, row by row.
fn to_host(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}
