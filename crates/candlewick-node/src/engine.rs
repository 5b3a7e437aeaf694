//! A network that runs: every method puts a job in line and returns a promise.

use crate::answers::{Answers, Parameters};
use crate::dataset::Dataset;
use crate::errors::to_js;
use crate::images::ImageFeed;
use crate::layers::network;
use crate::line::{Closing, Line};
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
    let make = move || {
        let network = network(&layers, &input_shape)?;
        let Placement { engine, device, threads } = placement;
        let mut engine = candlewick::engine::create(&engine, &device, network, threads.map(|t| t as usize), set)?;
        let init: Initializer = json::read("the initializer", r#"{ "kind": "xavier" }"#, &init)?;
        engine.set_flat_parameters(init.parameters(engine.network(), seed as u64)?)?;
        Ok(engine)
    };
    Line::start(env, make, Engine)
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

    /// Steps over the images of `dataset` that `order` names; the loss goes as JSON.
    #[napi(ts_return_type = "Promise<MetricsReport>")]
    #[expect(
        clippy::too_many_arguments,
        reason = "JavaScript gives six of them, less than an object for them would be worth"
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
    ) -> napi::Result<Object<'env>> {
        let (dataset, order) = (dataset.shared()?, memory::copy(order).map_err(to_js)?);
        let optimizer = Announced::of(optimizer);
        let job = move |engine: &mut dyn candlewick::engine::Engine, progress: &candlewick::engine::Progress| {
            let optimizer = optimizer.begin(engine)?;
            engine.train(&dataset, &order, batch_size as usize, &read_loss(&loss)?, &optimizer, progress)
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

    /// Replaces all parameters by those of a safetensors file.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn load_parameters<'env>(
        &self,
        env: &'env Env,
        path: String,
        ignore_extra: bool,
    ) -> napi::Result<Object<'env>> {
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            let parameters = checkpoint::load(engine.network(), Path::new(&path), ignore_extra)?;
            engine.set_flat_parameters(parameters)
        };
        self.0.submit(env, job, |()| ())
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
