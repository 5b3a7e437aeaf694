//! A network that runs: every method puts a job in line and returns a promise.

use crate::answers::{Answers, Parameters};
use crate::dataset::Dataset;
use crate::errors::to_js;
use crate::images::ImageFeed;
use crate::layers::network;
use crate::line::{Closing, Line};
use candlewick::augmentations::Augment;
use candlewick::checkpoint::{Loaded, Selection};
use candlewick::initializers::Initializer;
use candlewick::losses::{Loss, Takes, Targets};
use candlewick::metrics::Metrics;
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

/// Loss and right answers over images.
#[napi(object)]
pub struct MetricsReport {
    /// Mean loss of an image.
    pub loss: f64,
    /// Answers that are right.
    pub correct: f64,
    /// Answers that are right or wrong; 0 of a loss that knows no such answers.
    pub answers: f64,
    /// Images counted.
    pub count: u32,
}

/// Long work as seen from JavaScript: how far it is, and a way to stop it.
#[napi]
#[derive(Default)]
pub struct Progress(Arc<candlewick::engine::Progress>);

#[napi]
impl Progress {
    /// Of work that has not begun.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Images done so far.
    #[napi(getter)]
    pub fn images(&self) -> u32 {
        self.0.images() as u32
    }

    /// Asks the work to stop before its next batch; its promise is then rejected with code CANCELLED.
    #[napi]
    pub fn cancel(&self) {
        self.0.cancel();
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
}

/// A network's parameters and the line for what runs it, with the number of threads that it was given, if it was.
#[napi(custom_finalize)]
pub struct Engine(Line, Option<usize>);

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

/// Makes an engine with freshly drawn parameters. Layers and initialiser go as JSON.
#[napi(ts_return_type = "Promise<Engine>")]
pub fn create_engine<'env>(
    env: &'env Env,
    layers: String,
    input_shape: Vec<u32>,
    init: String,
    seed: f64,
    placement: Placement,
) -> napi::Result<Object<'env>> {
    // Here rather than off the event loop, beside which JavaScript could write to the environment.
    let set = InstructionSet::chosen();
    let threads = placement.threads.map(|t| t as usize);
    let make = move || {
        let network = network(&layers, &input_shape)?;
        let Placement { engine, device, .. } = placement;
        let mut engine = candlewick::engine::create(&engine, &device, network, threads, set)?;
        let init: Initializer = json::read("the initializer", r#"{ "kind": "xavier" }"#, &init)?;
        engine.set_seed(seed as u64);
        engine.set_flat_parameters(init.parameters(engine.network(), seed as u64)?)?;
        Ok(engine)
    };
    Line::start(env, make, move |line| Engine(line, threads))
}

#[napi]
impl Engine {
    /// One optimiser step on a batch, of which the loss, as JSON, takes either labels or values, a number for each output.
    #[napi(ts_return_type = "Promise<MetricsReport>")]
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
        self.0.submit(env, job, report)
    }

    /// Steps over the images of `dataset` that `order` names, first changed as `augment` says; it and the loss go as JSON.
    #[napi(ts_return_type = "Promise<MetricsReport>")]
    #[allow(
        clippy::too_many_arguments,
        reason = "JavaScript gives seven of them, less than an object for them would be worth"
    )]
    pub fn train<'env>(
        &self,
        env: &'env Env,
        dataset: &Dataset,
        order: &[u32],
        batch_size: u32,
        loss: String,
        optimizer: OptimizerOptions,
        progress: &Progress,
        augment: Option<String>,
    ) -> napi::Result<Object<'env>> {
        let epoch = Images { dataset: dataset.shared()?, order: memory::copy(order).map_err(to_js)? };
        let (optimizer, threads) = (Announced::of(optimizer), self.1);
        let job = move |engine: &mut dyn candlewick::engine::Engine, progress: &candlewick::engine::Progress| {
            let (optimizer, loss) = (optimizer.begin(engine)?, read_loss(&loss)?);
            let Images { dataset, order } = match augment {
                Some(augment) => {
                    epoch.augmented(&read_augment(&augment)?, &loss, engine.network().classes(), threads)?
                }
                None => epoch,
            };
            engine.train(&dataset, &order, batch_size as usize, &loss, &optimizer, progress)
        };
        self.0.submit_long(env, progress.0.clone(), job, report)
    }

    /// Loss and right answers over the images `start` to `end` (excluded) of `dataset`; the loss goes as JSON.
    #[napi(ts_return_type = "Promise<MetricsReport>")]
    pub fn evaluate<'env>(
        &self,
        env: &'env Env,
        dataset: &Dataset,
        start: u32,
        end: u32,
        loss: String,
        progress: &Progress,
    ) -> napi::Result<Object<'env>> {
        let dataset = dataset.shared()?;
        let job = move |engine: &mut dyn candlewick::engine::Engine, progress: &candlewick::engine::Progress| {
            engine.evaluate(&dataset, start as usize..end as usize, &read_loss(&loss)?, progress)
        };
        self.0.submit_long(env, progress.0.clone(), job, report)
    }

    /// Fails if the images `start` to `end` (excluded) of `dataset` do not fit the network and the loss, which goes as JSON.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn check<'env>(
        &self,
        env: &'env Env,
        dataset: &Dataset,
        start: u32,
        end: u32,
        loss: String,
    ) -> napi::Result<Object<'env>> {
        let dataset = dataset.shared()?;
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            engine.check(&dataset, start as usize..end as usize, &read_loss(&loss)?).map(drop)
        };
        self.0.submit(env, job, |()| ())
    }

    /// Logits, probabilities and labels of images.
    #[napi(ts_return_type = "Promise<Answers>")]
    pub fn predict<'env>(&self, env: &'env Env, images: &ImageFeed) -> napi::Result<Object<'env>> {
        let images = images.shared();
        self.0.submit(env, move |engine| Answers::new(engine.predict(&images.tensor()?)?), |answers| answers)
    }

    /// Copies of all parameters, in the network's order.
    #[napi(ts_return_type = "Promise<Parameters>")]
    pub fn parameters<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        self.0.submit(env, |engine| engine.parameters(), Parameters::new)
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
            let Loaded { parameters, loaded, left } = loaded;
            engine.set_flat_parameters(parameters)?;
            Ok(LoadReport { loaded, left })
        };
        self.0.submit(env, job, |report| report)
    }

    /// Writes all parameters to a safetensors file, all or nothing.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn save_parameters<'env>(&self, env: &'env Env, path: String) -> napi::Result<Object<'env>> {
        self.0.submit(env, move |engine| checkpoint::save(&engine.parameters()?, Path::new(&path)), |()| ())
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

/// What an epoch trains on.
struct Images {
    dataset: Arc<candlewick::dataset::Dataset>,
    order: Vec<u32>,
}

impl Images {
    /// The same, augmented. Labels and targets are checked before, while an error can name an image by its index in the dataset.
    fn augmented(self, augment: &Augment, loss: &Loss, outputs: usize, threads: Option<usize>) -> Result<Self> {
        let Self { dataset, mut order } = self;
        dataset.check(&order, loss, outputs)?;
        let dataset = Arc::new(dataset.augmented(&order, augment, threads)?);
        (0..).zip(&mut order).for_each(|(place, index)| *index = place);
        Ok(Self { dataset, order })
    }
}

fn read_augment(text: &str) -> Result<Augment> {
    let example = r#"{ "augmentations": [{ "kind": "randomFlip" }], "seed": 1, "epoch": 1 }"#;
    json::read("the augmentation", example, text)
}

fn read_loss(text: &str) -> Result<Loss> {
    json::read("the loss", r#"{ "kind": "softmaxCrossEntropy" }"#, text)
}

fn report(metrics: Metrics) -> MetricsReport {
    MetricsReport {
        loss: metrics.mean_loss(),
        correct: metrics.correct as f64,
        answers: metrics.answers as f64,
        count: metrics.count as u32,
    }
}
