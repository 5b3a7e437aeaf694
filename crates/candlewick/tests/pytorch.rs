//! Holds the engine against trajectories that PyTorch computed in float64 (`fixtures/make.py` made them).

mod fashion_mnist;

use candle_core::{DType, Device, Tensor};
use candlewick::engine::candle::CandleEngine;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::layers;
use candlewick::losses::{Loss, Targets};
use candlewick::network::Network;
use candlewick::optimizers::{Optimizer, Rate};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::path::Path;

/// `fixtures/<name>.json`, and what PyTorch made of it.
#[derive(Deserialize)]
struct Case {
    layers: Box<RawValue>,
    batch: usize,
    steps: usize,
    optimizer: Optimizer,
    #[serde(default)]
    loss: Loss,
    #[serde(skip)]
    tensors: HashMap<String, Tensor>,
}

fn case(name: &str) -> Case {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let text = std::fs::read_to_string(path.with_extension("json")).unwrap();
    let tensors = candle_core::safetensors::load(path.with_extension("safetensors"), &Device::Cpu).unwrap();
    Case { tensors, ..serde_json::from_str(&text).unwrap() }
}

impl Case {
    fn network(&self) -> Network {
        Network::new(&layers::from_json(self.layers.get()).unwrap(), [1, 28, 28]).unwrap()
    }

    fn engine(&self) -> LanesEngine {
        self.with_parameters(LanesEngine::new(self.network(), Some(2)).unwrap())
    }

    fn with_parameters<E: Engine>(&self, mut engine: E) -> E {
        let ours: Vec<String> = engine.network().parameters.iter().map(|p| p.name.clone()).collect();
        let own = self.tensors.iter().filter(|(name, _)| ours.contains(name));
        engine.set_parameters(&own.map(|(name, tensor)| (name.clone(), tensor.clone())).collect()).unwrap();
        engine
    }

    fn expect(&self, name: &str) -> Vec<f64> {
        values(&self.tensors[name])
    }

    /// With the rates that PyTorch's schedule, if there was one, had for this step.
    fn optimizer(&self, step: usize) -> Optimizer {
        let at = |name: &str| Some(values(self.tensors.get(name)?)[step]);
        let rate = at("learningRates").map(|rate| Rate { learning_rate: rate as f32, momentum: at("momenta") });
        Optimizer { rates: rate.into_iter().collect(), ..self.optimizer.clone() }
    }

    /// Of the first step's loss; running statistics have none.
    fn gradient(&self, name: &str) -> Option<Vec<f64>> {
        self.tensors.get(&format!("grad.{name}")).map(values)
    }
}

fn values(tensor: &Tensor) -> Vec<f64> {
    tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Greatest difference, relative to the greatest expected value.
fn relative_error(actual: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let difference = actual.iter().zip(expected).fold(0.0f64, |m, (a, e)| m.max((a - e).abs()));
    difference / largest
}

/// None has an edge (of ReLU's, say) so close to a value that rounding decides on which side it is.
const CASES: &[&str] =
    &["lenet", "relu", "adam", "adamw", "nesterov", "onecycle", "clip", "loss", "bn", "residual", "depthwise"];

fn hold(name: &str, case: &Case, mut engine: impl Engine) {
    let n = case.batch;
    let dataset = fashion_mnist::train(case.steps * n);
    let first = Tensor::from_slice(&dataset.pixels()[..n * 784], (n, 1, 28, 28), &Device::Cpu).unwrap();
    let logits = |engine: &mut dyn Engine| values(&engine.predict(&first).unwrap());
    let error = relative_error(&logits(&mut engine), &case.expect("logits"));
    assert!(error < 1e-5, "{name}: logits are off by {error:e}");

    let order: Vec<u32> = (0..dataset.len() as u32).collect();
    let mut losses = Vec::new();
    for (step, batch) in order.chunks(n).enumerate() {
        let metrics =
            engine.train(&dataset, batch, n, &case.loss, &case.optimizer(step), &Progress::default()).unwrap();
        losses.push(metrics.mean_loss());
        if step == 0 {
            hold_gradients(name, case, &engine);
        }
    }
    for (step, (loss, expected)) in losses.iter().zip(case.expect("losses")).enumerate() {
        assert!((loss - expected).abs() < 4e-6 * expected, "{name}: loss {step} is {loss}, expected {expected}");
    }
    for (parameter, tensor) in engine.parameters().unwrap() {
        let error = relative_error(&values(&tensor), &case.expect(&format!("after.{parameter}")));
        assert!(error < 5e-5, "{name}: after {} steps {parameter} is off by {error:e}", case.steps);
    }
    if case.tensors.contains_key("after.logits") {
        let error = relative_error(&logits(&mut engine), &case.expect("after.logits"));
        assert!(error < 5e-5, "{name}: after {} steps logits are off by {error:e}", case.steps);
    }
}

fn hold_gradients(name: &str, case: &Case, engine: &impl Engine) {
    for (parameter, gradient) in engine.gradients().unwrap() {
        let Some(expected) = case.gradient(&parameter) else { continue };
        let error = relative_error(&values(&gradient), &expected);
        assert!(error < 1e-5, "{name}: the gradient of {parameter} is off by {error:e}");
    }
}

#[test]
fn the_cpu_engine_follows_pytorch() {
    for name in CASES {
        let case = case(name);
        hold(name, &case, case.engine());
    }
}

#[cfg(feature = "emulation")]
#[test]
fn the_emulated_cuda_engine_follows_pytorch() {
    use candlewick::engine::cuda::{CudaEngine, emulated::Emulated};
    for name in CASES {
        let (case, h100) = (case(name), Emulated::new(227 << 10, 132));
        hold(name, &case, case.with_parameters(CudaEngine::new(h100, case.network()).unwrap()));
    }
}

/// Of the slow engine: by then, all that an optimiser keeps from step to step has been used more than once.
const STEPS: usize = 8;

/// In float64, as PyTorch did. What is left is what was rounded to float32: the fixtures' gradients, and the settings.
fn hold_closely(name: &str, case: &Case) {
    let engine = CandleEngine::new(case.network(), Device::Cpu, DType::F64, Some(1)).unwrap();
    let (mut engine, n) = (case.with_parameters(engine), case.batch);
    let dataset = fashion_mnist::train(STEPS * n);
    let floats: Vec<f32> = dataset.pixels().iter().map(|p| f32::from(*p) / 255.0).collect();
    let images = Tensor::from_vec(floats, (STEPS * n, 1, 28, 28), &Device::Cpu).unwrap();
    let first = images.narrow(0, 0, n).unwrap().to_dtype(DType::F64).unwrap();
    let logits = relative_error(&values(&engine.exact_logits(&first).unwrap()), &case.expect("logits"));
    assert!(logits < 1e-13, "{name}: logits are off by {logits:e}");

    for (step, expected) in case.expect("losses").into_iter().take(STEPS).enumerate() {
        let labels: Vec<u32> = dataset.labels()[step * n..][..n].iter().map(|l| u32::from(*l)).collect();
        let (images, labels) = (images.narrow(0, step * n, n).unwrap(), Targets::Labels(&labels));
        let metrics = engine.step(&images, labels, &case.loss, &case.optimizer(step)).unwrap();
        let error = (metrics.mean_loss() - expected).abs() / expected;
        assert!(error < 1e-7, "{name}: loss {step} is off by {error:e}");
        if step == 0 {
            assert!(error < 1e-13, "{name}: the first loss is off by {error:e}");
            for (gradient, parameter) in engine.exact_gradients().iter().zip(&engine.network().parameters) {
                let Some(expected) = case.gradient(&parameter.name) else { continue };
                let error = relative_error(&values(gradient), &expected);
                assert!(error < 1e-7, "{name}: the gradient of {} is off by {error:e}", parameter.name);
            }
        }
    }
}

#[test]
fn the_reference_engine_follows_pytorch_closely_in_float64() {
    for name in CASES {
        hold_closely(name, &case(name));
    }
}

#[test]
fn a_hand_made_batch_is_a_step_like_any_other() {
    let case = case("lenet");
    let dataset = fashion_mnist::train(256);
    let floats: Vec<f32> = dataset.pixels().iter().map(|p| f32::from(*p) / 255.0).collect();
    let images = Tensor::from_vec(floats, (256, 1, 28, 28), &Device::Cpu).unwrap();
    let labels: Vec<u32> = dataset.labels().iter().map(|l| u32::from(*l)).collect();
    let mut engine = case.engine();
    let metrics = engine.step(&images, Targets::Labels(&labels), &case.loss, &case.optimizer).unwrap();
    assert!((metrics.mean_loss() - case.expect("losses")[0]).abs() < 1e-5);
    let mut other = case.engine();
    let order: Vec<u32> = (0..256).collect();
    assert_eq!(other.train(&dataset, &order, 256, &case.loss, &case.optimizer, &Progress::default()).unwrap(), metrics);
    let bits = |engine: &LanesEngine| {
        engine.parameters().unwrap().iter().flat_map(|(_, t)| values(t)).map(f64::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(bits(&engine), bits(&other));
}
