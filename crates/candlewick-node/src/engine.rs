//! A network that runs: every method puts a job in line and returns a promise.

use crate::answers::{Answers, Parameters};
use crate::checkpoint::SavedRun;
use crate::dataset::Dataset;
use crate::errors::to_js;
use crate::images::ImageFeed;
use crate::layers::network;
use crate::line::{Closing, Line, Long, Place};
use crate::tally::{Tally, locked};
use candlewick::augmentations::Augment;
use candlewick::checkpoint::{Input, Loaded, Selection};
use candlewick::engine::Training;
use candlewick::initializers::Initializer;
use candlewick::losses::{Loss, Takes, Targets};
use candlewick::metrics::Metrics;
use candlewick::normalization::Normalization;
use candlewick::optimizers::{Optimizer, Rate};
use candlewick::simd::InstructionSet;
use candlewick::{Result, checkpoint, json, memory};
use napi::Env;
use napi::bindgen_prelude::{Float64Array, Object, ObjectFinalize};
use napi_derive::napi;
use std::path::Path;
use std::sync::Arc;

/// An optimiser.
#[napi(object, object_to_js = false)]
pub struct OptimizerOptions {
    /// Its settings, as JSON.
    pub settings: String,
    /// Its own number, above 0; what it keeps from step to step belongs to the one that made it.
    pub id: f64,
    /// Of the steps of the call, one after the other; the optimiser's own by default.
    pub learning_rates: Option<Float64Array>,
    /// SGD's momentum or Adam's beta1 at each of them; the optimiser's own by default.
    pub momenta: Option<Float64Array>,
}

/// What a training is, beside its images.
#[napi(object, object_to_js = false)]
pub struct TrainingOptions {
    /// Images of a step.
    pub batch_size: u32,
    /// What is made small, as JSON.
    pub loss: String,
    /// How.
    pub optimizer: OptimizerOptions,
    /// How images are changed before they are trained on, as JSON.
    pub augment: Option<String>,
    /// Images up to which the order is gone through; the others of it may be mixed into them.
    pub until: u32,
}

/// Losses and right answers of images, as sums, so that those of more images can be added to the bit.
#[napi(object)]
#[derive(Clone, Copy)]
pub struct Sums {
    /// Of the images' losses.
    pub loss: f64,
    /// What the mean loss divides by.
    pub weight: f64,
    /// Answers that are right.
    pub correct: f64,
    /// Answers that are right or wrong; 0 of a loss that knows no such answers.
    pub answers: f64,
    /// Images counted.
    pub count: f64,
}

impl From<Metrics> for Sums {
    fn from(metrics: Metrics) -> Self {
        let Metrics { loss, weight, correct, answers, count } = metrics;
        Self { loss, weight, correct: correct as f64, answers: answers as f64, count: count as f64 }
    }
}

impl From<Sums> for Metrics {
    fn from(sums: Sums) -> Self {
        let Sums { loss, weight, correct, answers, count } = sums;
        Self { loss, weight, correct: correct as u64, answers: answers as u64, count: count as u64 }
    }
}

/// Long work as seen from JavaScript: how far it is, and a way to stop it.
#[napi]
#[derive(Default)]
pub struct Progress(Arc<Long>);

#[napi]
impl Progress {
    /// Of work that has not begun, and that may pause where other work is in line.
    #[napi(constructor)]
    pub fn new(gives_way: bool) -> Self {
        Self(Arc::new(Long { gives_way, ..Long::default() }))
    }

    /// Images done so far.
    #[napi(getter)]
    pub fn images(&self) -> u32 {
        self.0.progress.images() as u32
    }

    /// Mean loss of these images; 0 before the first.
    #[napi(getter)]
    pub fn loss(&self) -> f64 {
        self.0.progress.loss()
    }

    /// The share of their answers that are right: NaN of a loss without right answers, 0 before the first image.
    #[napi(getter)]
    pub fn accuracy(&self) -> f64 {
        self.0.progress.accuracy()
    }

    /// Asks the work to end after its batch, so that it can be gone on with, or takes that back: its promise is then resolved to what
    /// there is so far.
    #[napi]
    pub fn pause(&self, pausing: bool) {
        self.0.progress.pause(pausing);
    }

    /// Asks the work to stop before its next batch; its promise is then rejected with code CANCELLED.
    #[napi]
    pub fn cancel(&self) {
        self.0.progress.cancel();
    }
}

/// Which parameters are loaded from a file.
#[napi(object)]
pub struct SelectionOptions {
    /// Patterns of their names, `*` for any letters and `?` for one; none for all.
    pub only: Vec<String>,
    /// Whether the file may hold tensors of such names that belong to no parameter.
    pub ignore_extra: bool,
    /// Whether parameters stay as they are whose tensor is missing or has another shape.
    pub ignore_mismatch: bool,
}

/// What became of the parameters, by name.
#[napi(object)]
pub struct LoadReport {
    /// Those that were loaded.
    pub loaded: Vec<String>,
    /// Those that stayed as they were.
    pub left: Vec<String>,
    /// What images go through first from here on, as JSON: what the file says, where it says so.
    pub normalization: Option<String>,
    /// Whether that is the network's own, while the file is of one whose images went through nothing.
    pub differs: bool,
}

/// A network's parameters and the line for what runs it.
#[napi(custom_finalize)]
pub struct Engine(Line);

impl ObjectFinalize for Engine {
    fn finalize(self, env: Env) -> napi::Result<()> {
        self.0.forget(&env)
    }
}

/// What runs a network, and where.
#[napi(object)]
pub struct Placement {
    /// fused or candle.
    pub engine: String,
    /// `cpu`, `cuda:0` or `metal`.
    pub device: String,
    /// Those of the CPU; all processors' by default.
    pub threads: Option<u32>,
}

/// Makes an engine with freshly drawn parameters. Layers, initialiser and what images go through first go as JSON.
#[napi(ts_return_type = "Promise<Engine>")]
pub fn create_engine<'env>(
    env: &'env Env,
    layers: String,
    input_shape: Vec<u32>,
    init: String,
    seed: f64,
    placement: Placement,
    normalization: Option<String>,
) -> napi::Result<Object<'env>> {
    // Here rather than off the event loop, beside which JavaScript could write to the environment.
    let set = InstructionSet::chosen();
    let threads = placement.threads.map(|t| t as usize);
    let make = move || {
        let network = network(&layers, &input_shape)?;
        let Placement { engine, device, .. } = placement;
        let mut engine = candlewick::engine::create(&engine, &device, network, threads, set)?;
        let init: Initializer = json::read("the initializer", r#"{ "kind": "xavier" }"#, &init)?;
        engine.set_normalization(normalization.as_deref().map(Normalization::read).transpose()?)?;
        engine.set_seed(seed as u64);
        engine.set_flat_parameters(init.parameters(engine.network(), seed as u64)?)?;
        Ok(engine)
    };
    Line::start(env, make, Engine)
}

#[napi]
impl Engine {
    /// One optimiser step on a batch, of which the loss, as JSON, takes either labels or values, a number for each output.
    #[napi(ts_return_type = "Promise<Sums>")]
    pub fn step<'env>(
        &self,
        env: &'env Env,
        images: &ImageFeed,
        labels: &[u32],
        values: &[f32],
        loss: String,
        optimizer: OptimizerOptions,
    ) -> napi::Result<Object<'env>> {
        let images = images.shared();
        let (labels, values) = (memory::copy(labels).map_err(to_js)?, memory::copy(values).map_err(to_js)?);
        let optimizer = Announced::of(optimizer);
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            let images = images.tensor()?;
            let optimizer = optimizer.begin(engine)?;
            let loss = read_loss(&loss)?;
            let targets = match loss.takes() {
                Takes::Labels => Targets::Labels(&labels),
                Takes::Values => Targets::Values(&values),
            };
            engine.step(&images, targets, &loss, &optimizer)
        };
        self.0.submit(env, Place::Writes, job, Sums::from)
    }

    /// Steps over the images of `dataset` that `order` names, after those that are in `sums`, up to the last or to a pause. Resolves to the sums of all that were trained on.
    #[napi(ts_return_type = "Promise<Sums>")]
    pub fn train<'env>(
        &self,
        env: &'env Env,
        dataset: &Dataset,
        order: &[u32],
        options: TrainingOptions,
        sums: Sums,
        progress: &Progress,
    ) -> napi::Result<Object<'env>> {
        let (dataset, order) = (dataset.shared()?, memory::copy(order).map_err(to_js)?);
        let TrainingOptions { batch_size, loss, optimizer, augment, until } = options;
        let optimizer = Announced::of(optimizer);
        let job = move |engine: &mut dyn candlewick::engine::Engine, progress: &candlewick::engine::Progress| {
            let (optimizer, loss) = (optimizer.begin(engine)?, read_loss(&loss)?);
            let augment = augment.as_deref().map(Augment::read).transpose()?;
            let training = Training {
                dataset: &dataset,
                order: &order[..order.len().min(until as usize)],
                batch_size: batch_size as usize,
                loss: &loss,
                optimizer: &optimizer,
                augment: augment.as_ref(),
                partners: if augment.is_some() { &order } else { &[] },
            };
            let mut metrics = Metrics::from(sums);
            engine.train_on(&training, progress, &mut metrics)?;
            Ok(metrics)
        };
        self.0.submit_long(env, progress.0.clone(), job, Sums::from)
    }

    /// Loss and right answers over the images of `dataset` that `indices` names, after those that are in `sums`, up to the last or to
    /// a pause. The loss goes as JSON. A tally counts what it was made for.
    #[napi(ts_return_type = "Promise<Sums>")]
    #[allow(clippy::too_many_arguments, reason = "an object for them would be worth less than it costs")]
    pub fn evaluate<'env>(
        &self,
        env: &'env Env,
        dataset: &Dataset,
        indices: &[u32],
        loss: String,
        sums: Sums,
        progress: &Progress,
        tally: Option<&Tally>,
    ) -> napi::Result<Object<'env>> {
        let (dataset, indices) = (dataset.shared()?, memory::copy(indices).map_err(to_js)?);
        let tally = tally.map(Tally::shared);
        let job = move |engine: &mut dyn candlewick::engine::Engine, progress: &candlewick::engine::Progress| {
            let (loss, mut metrics) = (read_loss(&loss)?, Metrics::from(sums));
            let mut counts = tally.as_deref().map(locked);
            engine.evaluate_on(&dataset, &indices, &loss, progress, &mut metrics, counts.as_deref_mut())?;
            Ok(metrics)
        };
        self.0.submit_long(env, progress.0.clone(), job, Sums::from)
    }

    /// Fails if the images of `dataset` that `indices` names do not fit the network and the loss, which goes as JSON.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn check<'env>(
        &self,
        env: &'env Env,
        dataset: &Dataset,
        indices: &[u32],
        loss: String,
    ) -> napi::Result<Object<'env>> {
        let (dataset, indices) = (dataset.shared()?, memory::copy(indices).map_err(to_js)?);
        let job =
            move |engine: &mut dyn candlewick::engine::Engine| engine.check(&dataset, &indices, &read_loss(&loss)?);
        self.0.submit(env, Place::Reads, job, |()| ())
    }

    /// Logits, probabilities and labels of images.
    #[napi(ts_return_type = "Promise<Answers>")]
    pub fn predict<'env>(&self, env: &'env Env, images: &ImageFeed) -> napi::Result<Object<'env>> {
        let images = images.shared();
        self.0.submit(
            env,
            Place::Reads,
            move |engine| Answers::new(engine.predict(&images.tensor()?)?),
            |answers| answers,
        )
    }

    /// Copies of all parameters, in the network's order.
    #[napi(ts_return_type = "Promise<Parameters>")]
    pub fn parameters<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.0.submit(env, Place::Reads, |engine| engine.parameters(), Parameters::new)
    }

    /// Replaces parameters by those of a safetensors file, all that are selected or none; says which, and which stay as they are.
    #[napi(ts_return_type = "Promise<LoadReport>")]
    pub fn load_parameters<'env>(
        &self,
        env: &'env Env,
        path: String,
        selection: SelectionOptions,
    ) -> napi::Result<Object<'env>> {
        let SelectionOptions { only, ignore_extra, ignore_mismatch } = selection;
        let selection = Selection { only, ignore_extra, ignore_mismatch };
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            let current = engine.flat_parameters()?;
            let loaded = checkpoint::load_some(engine.network(), Path::new(&path), &selection, &current)?;
            let Loaded { parameters, loaded, left, input } = loaded;
            engine.set_flat_parameters(parameters)?;
            let differs = input == Input::Plain && engine.normalization().is_some();
            if let Input::Normalized(normalization) = input {
                engine.set_normalization(Some(normalization))?;
            }
            Ok(LoadReport { loaded, left, normalization: normalization_of(engine)?, differs })
        };
        self.0.submit(env, Place::Writes, job, |report| report)
    }

    /// What images go through first, as JSON; null for nothing.
    #[napi(ts_return_type = "Promise<string | null>")]
    pub fn normalization<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.0.submit(env, Place::Reads, |engine| normalization_of(engine), |normalization| normalization)
    }

    /// Has images go through this first from here on, which goes as JSON.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn set_normalization<'env>(&self, env: &'env Env, normalization: String) -> napi::Result<Object<'env>> {
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            engine.set_normalization(Some(Normalization::read(&normalization)?))
        };
        self.0.submit(env, Place::Writes, job, |()| ())
    }

    /// Replaces all parameters by these, end to end in the network's order.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn set_parameters<'env>(&self, env: &'env Env, values: &ImageFeed) -> napi::Result<Object<'env>> {
        let values = values.shared();
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            engine.set_flat_parameters(values.tensor()?.flatten_all()?.to_vec1()?)
        };
        self.0.submit(env, Place::Writes, job, |()| ())
    }

    /// Writes all parameters to a safetensors file, all or nothing, with the network, which goes as JSON.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save_parameters<'env>(&self, env: &'env Env, path: String, network: String) -> napi::Result<Object<'env>> {
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            let text = checkpoint::text_of(&network, engine.normalization())?;
            checkpoint::save(&engine.parameters()?, Some(&text), Path::new(&path))
        };
        self.0.submit(env, Place::Reads, job, |()| ())
    }

    /// Writes all that training goes on from to a safetensors file, all or nothing. The network and what the loop has to know go
    /// as JSON.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save_run<'env>(
        &self,
        env: &'env Env,
        path: String,
        network: String,
        run: String,
    ) -> napi::Result<Object<'env>> {
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            checkpoint::save_run(engine.network(), &engine.snapshot()?, (&network, &run), Path::new(&path))
        };
        self.0.submit(env, Place::Reads, job, |()| ())
    }

    /// Goes on from a checkpoint; what the optimiser kept is that of the one of this number.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn restore_run<'env>(&self, env: &'env Env, run: &SavedRun, owner: f64) -> napi::Result<Object<'env>> {
        let run = run.0.clone();
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            engine.restore(&run.snapshot(engine.network())?, owner as u64)
        };
        self.0.submit(env, Place::Writes, job, |()| ())
    }

    /// Takes no more work; the promise resolves when what is in line is done and the memory is given back.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn retire<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.0.close(env, Closing::Replaced)
    }

    /// As `retire`, but a training or an evaluation in line ends within a batch, with code DISPOSED.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn dispose<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.0.close(env, Closing::Disposed)
    }
}

/// An optimiser on its way to the engine, with no memory of JavaScript's.
struct Announced {
    settings: String,
    id: u64,
    rates: Vec<Rate>,
}

impl Announced {
    fn of(OptimizerOptions { settings, id, learning_rates, momenta }: OptimizerOptions) -> Self {
        let momenta = momenta.as_deref().unwrap_or_default();
        let rate = |(step, learning_rate): (usize, &f64)| Rate {
            learning_rate: *learning_rate as f32,
            momentum: momenta.get(step).copied(),
        };
        let rates = learning_rates.as_deref().unwrap_or_default().iter().enumerate().map(rate).collect();
        Self { settings, id: id as u64, rates }
    }

    /// The optimiser, after its announcement; the engine checks its settings.
    fn begin(self, engine: &mut dyn candlewick::engine::Engine) -> Result<Optimizer> {
        engine.announce_optimizer(self.id);
        let example = r#"{ "kind": "sgd", "learningRate": 0.1 }"#;
        let optimizer: Optimizer = json::read("the optimizer", example, &self.settings)?;
        Ok(Optimizer { rates: self.rates, ..optimizer })
    }
}

/// As JSON.
fn normalization_of(engine: &dyn candlewick::engine::Engine) -> Result<Option<String>> {
    engine.normalization().map(Normalization::json).transpose()
}

fn read_loss(text: &str) -> Result<Loss> {
    json::read("the loss", r#"{ "kind": "softmaxCrossEntropy" }"#, text)
}
