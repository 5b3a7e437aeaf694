//! A network that runs: every method puts a job in line and returns a promise.

use crate::dataset::Dataset;
use crate::images::{Pixels, copy, tensor};
use crate::layers::{LayerOptions, network};
use crate::worker::Worker;
use candle_core::Tensor;
use candlewick::init::Init;
use candlewick::metrics::Metrics;
use candlewick::optimizer::Sgd;
use candlewick::simd::InstructionSet;
use candlewick::{Code, Error, Result, checkpoint, loss};
use napi::Env;
use napi::bindgen_prelude::{Float32Array, Object, ObjectFinalize, Uint32Array};
use napi_derive::napi;
use std::path::Path;
use std::sync::Arc;

/// How weights are drawn: xavier, uniform (±scale), normal (deviation scale) or zeros.
#[napi(object)]
pub struct InitOptions {
    /// xavier, uniform, normal or zeros.
    pub kind: String,
    /// uniform and normal
    pub scale: Option<f64>,
}

/// Settings of stochastic gradient descent.
#[napi(object)]
pub struct SgdOptions {
    /// At least 0.
    pub learning_rate: f64,
    /// 0 to below 1.
    pub momentum: f64,
    /// At least 0.
    pub weight_decay: f64,
    /// Whether to forget the velocity first, as a new optimiser would start.
    pub fresh: bool,
}

/// Sums over images.
#[napi(object)]
pub struct MetricsReport {
    /// Mean loss of an image.
    pub loss: f64,
    /// Images answered correctly.
    pub correct: u32,
    /// Images counted.
    pub count: u32,
}

/// Answers to images, in their order.
#[napi(object)]
pub struct Prediction {
    /// Length of a row.
    pub classes: u32,
    /// (n, classes)
    pub logits: Float32Array,
    /// (n, classes)
    pub probabilities: Float32Array,
    /// (n): the class with the largest logit.
    pub labels: Uint32Array,
}

/// A weight or bias.
#[napi(object)]
pub struct ParameterReport {
    /// `conv0.weight`
    pub name: String,
    /// (out, in, kernel height, kernel width), (out, in) or (out).
    pub shape: Vec<u32>,
    /// A copy of the values.
    pub data: Float32Array,
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

/// A network's parameters and the thread that runs it.
#[napi(custom_finalize)]
pub struct Engine(Worker, i64);

impl ObjectFinalize for Engine {
    fn finalize(self, env: Env) -> napi::Result<()> {
        env.adjust_external_memory(-self.1).map(drop)
    }
}

/// Makes an engine on `device` with freshly drawn parameters; `threads` is all processors' by default.
#[napi(ts_return_type = "Promise<Engine>")]
pub fn create_engine<'env>(
    env: &'env Env,
    layers: Vec<LayerOptions>,
    input_shape: Vec<u32>,
    init: InitOptions,
    seed: f64,
    device: String,
    threads: Option<u32>,
) -> napi::Result<Object<'env>> {
    // Here rather than on the engine's thread, beside which JavaScript could write to the environment.
    let set = InstructionSet::chosen();
    let make = move || {
        let network = network(&layers, &input_shape)?;
        let mut engine = candlewick::engine::create(&device, network, threads.map(|t| t as usize), set)?;
        engine.set_flat_parameters(initializer(&init)?.parameters(engine.network(), seed as u64)?)?;
        Ok(engine)
    };
    let wrap = |env: Env, worker, size: usize| {
        // So that the garbage collector knows what an engine weighs.
        env.adjust_external_memory(size as i64)?;
        Ok(Engine(worker, size as i64))
    };
    Worker::start(env, make, wrap)
}

#[napi]
impl Engine {
    /// One optimiser step on a batch.
    #[napi(ts_return_type = "Promise<MetricsReport>")]
    pub fn step<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "Uint8Array | Float32Array")] pixels: Pixels,
        shape: Vec<u32>,
        labels: Uint32Array,
        sgd: SgdOptions,
    ) -> napi::Result<Object<'env>> {
        let (pixels, labels) = (copy(&pixels), labels.to_vec());
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            let settings = begin(engine, &sgd)?;
            engine.step(&tensor(pixels, &shape)?, &labels, &settings)
        };
        self.0.submit(env, job, report)
    }

    /// Steps over the images of `dataset` that `order` names.
    #[napi(ts_return_type = "Promise<MetricsReport>")]
    pub fn train<'env>(
        &self,
        env: &'env Env,
        dataset: &Dataset,
        order: Uint32Array,
        batch_size: u32,
        sgd: SgdOptions,
        progress: &Progress,
    ) -> napi::Result<Object<'env>> {
        let (dataset, order) = (dataset.shared(), order.to_vec());
        let job = move |engine: &mut dyn candlewick::engine::Engine, progress: &candlewick::engine::Progress| {
            let settings = begin(engine, &sgd)?;
            engine.train(&dataset, &order, batch_size as usize, &settings, progress)
        };
        self.0.submit_long(env, progress.0.clone(), job, report)
    }

    /// Loss and correct answers over the images `start` to `end` (excluded) of `dataset`.
    #[napi(ts_return_type = "Promise<MetricsReport>")]
    pub fn evaluate<'env>(
        &self,
        env: &'env Env,
        dataset: &Dataset,
        start: u32,
        end: u32,
        progress: &Progress,
    ) -> napi::Result<Object<'env>> {
        let dataset = dataset.shared();
        let job = move |engine: &mut dyn candlewick::engine::Engine, progress: &candlewick::engine::Progress| {
            engine.evaluate(&dataset, start as usize..end as usize, progress)
        };
        self.0.submit_long(env, progress.0.clone(), job, report)
    }

    /// Fails if the images `start` to `end` (excluded) of `dataset` do not fit the network.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn check<'env>(&self, env: &'env Env, dataset: &Dataset, start: u32, end: u32) -> napi::Result<Object<'env>> {
        let dataset = dataset.shared();
        self.0.submit(env, move |engine| engine.check(&dataset, start as usize..end as usize).map(drop), |()| ())
    }

    /// Logits, probabilities and labels of images.
    #[napi(ts_return_type = "Promise<Prediction>")]
    pub fn predict<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "Uint8Array | Float32Array")] pixels: Pixels,
        shape: Vec<u32>,
    ) -> napi::Result<Object<'env>> {
        let pixels = copy(&pixels);
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            let logits = engine.predict(&tensor(pixels, &shape)?)?;
            let (rows, logits, classes) = (logits.dims()[0], values(&logits)?, engine.network().classes());
            let (mut probabilities, mut labels) = (vec![0.0; logits.len()], vec![0; rows]);
            loss::softmax_rows(&logits, classes, &mut probabilities);
            loss::label_rows(&logits, classes, &mut labels);
            Ok((classes as u32, logits, probabilities, labels))
        };
        self.0.submit(env, job, |(classes, logits, probabilities, labels)| Prediction {
            classes,
            logits: logits.into(),
            probabilities: probabilities.into(),
            labels: labels.into(),
        })
    }

    /// Copies of all parameters, in the network's order.
    #[napi(ts_return_type = "Promise<ParameterReport[]>")]
    pub fn parameters<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let copy = |(name, tensor): (String, Tensor)| Ok((name, tensor.dims().to_vec(), values(&tensor)?));
        let job = move |engine: &mut dyn candlewick::engine::Engine| {
            engine.parameters()?.into_iter().map(copy).collect::<Result<Vec<_>>>()
        };
        self.0.submit(env, job, |parameters| {
            let convert = |(name, shape, data): (String, Vec<usize>, Vec<f32>)| ParameterReport {
                name,
                shape: shape.iter().map(|d| *d as u32).collect(),
                data: data.into(),
            };
            parameters.into_iter().map(convert).collect::<Vec<_>>()
        })
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
}

fn initializer(options: &InitOptions) -> Result<Init> {
    let scale = options.scale.unwrap_or(f64::NAN);
    match options.kind.as_str() {
        "xavier" => Ok(Init::Xavier),
        "uniform" => Ok(Init::Uniform(scale)),
        "normal" => Ok(Init::Normal(scale)),
        "zeros" => Ok(Init::Zeros),
        kind => Err(Error::new(Code::InvalidArgument, format!("there is no initialiser \"{kind}\""))),
    }
}

/// The optimiser's settings, after forgetting its velocity where it is a new one.
fn begin(engine: &mut dyn candlewick::engine::Engine, options: &SgdOptions) -> Result<Sgd> {
    if options.fresh {
        engine.reset_optimizer()?;
    }
    let SgdOptions { learning_rate, momentum, weight_decay, .. } = options;
    let [learning_rate, momentum, weight_decay] = [learning_rate, momentum, weight_decay].map(|x| *x as f32);
    Sgd { learning_rate, momentum, weight_decay }.validated()
}

fn report(metrics: Metrics) -> MetricsReport {
    MetricsReport { loss: metrics.mean_loss(), correct: metrics.correct as u32, count: metrics.count as u32 }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}
