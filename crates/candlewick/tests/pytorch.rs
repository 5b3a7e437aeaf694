//! Holds the engine against trajectories that PyTorch computed in float64 (`fixtures/make.py` made them).

mod fashion_mnist;

use candle_core::{DType, Device, Tensor};
use candlewick::engine::candle::CandleEngine;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::layers;
use candlewick::losses::{Loss, Targets};
use candlewick::network::Network;
use candlewick::optimizers::Optimizer;
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

fn hold(case: &Case, mut engine: impl Engine) {
    let n = case.batch;
    let dataset = fashion_mnist::train(case.steps * n);
    let first = Tensor::from_slice(&dataset.pixels()[..n * 784], (n, 1, 28, 28), &Device::Cpu).unwrap();
    let logits = relative_error(&values(&engine.predict(&first).unwrap()), &case.expect("logits"));
    assert!(logits < 1e-5, "logits are off by {logits:e}");

    let order: Vec<u32> = (0..dataset.len() as u32).collect();
    let mut losses = Vec::new();
    for (step, batch) in order.chunks(n).enumerate() {
        let metrics = engine.train(&dataset, batch, n, &case.loss, &case.optimizer, &Progress::default()).unwrap();
        losses.push(metrics.mean_loss());
        if step == 0 {
            for (name, gradient) in engine.gradients().unwrap() {
                let error = relative_error(&values(&gradient), &case.expect(&format!("grad.{name}")));
                assert!(error < 1e-5, "the gradient of {name} is off by {error:e}");
            }
        }
    }
    for (step, (loss, expected)) in losses.iter().zip(case.expect("losses")).enumerate() {
        assert!((loss - expected).abs() < 1e-4 * expected, "loss {step} is {loss}, expected {expected}");
    }
    for (name, tensor) in engine.parameters().unwrap() {
        let error = relative_error(&values(&tensor), &case.expect(&format!("after.{name}")));
        assert!(error < 1e-3, "after {} steps {name} is off by {error:e}", case.steps);
    }
}

#[test]
fn lenet_follows_pytorch() {
    let case = case("lenet");
    hold(&case, case.engine());
}

#[test]
fn other_layers_and_momentum_follow_pytorch() {
    let case = case("relu");
    hold(&case, case.engine());
}

#[test]
fn adam_follows_pytorch() {
    let case = case("adam");
    hold(&case, case.engine());
}

#[test]
fn smoothed_labels_and_weights_of_classes_follow_pytorch() {
    let case = case("loss");
    hold(&case, case.engine());
}

/// In float64, as PyTorch did. What is left is what was rounded to float32: the fixtures' gradients, and the settings.
fn hold_closely(case: &Case) {
    let engine = CandleEngine::new(case.network(), Device::Cpu, DType::F64, Some(1)).unwrap();
    let (mut engine, n) = (case.with_parameters(engine), case.batch);
    let dataset = fashion_mnist::train(20 * n);
    let floats: Vec<f32> = dataset.pixels().iter().map(|p| f32::from(*p) / 255.0).collect();
    let images = Tensor::from_vec(floats, (20 * n, 1, 28, 28), &Device::Cpu).unwrap();
    let first = images.narrow(0, 0, n).unwrap().to_dtype(DType::F64).unwrap();
    let logits = relative_error(&values(&engine.exact_logits(&first).unwrap()), &case.expect("logits"));
    assert!(logits < 1e-13, "logits are off by {logits:e}");

    for (step, expected) in case.expect("losses").into_iter().take(20).enumerate() {
        let labels: Vec<u32> = dataset.labels()[step * n..][..n].iter().map(|l| u32::from(*l)).collect();
        let metrics = engine
            .step(&images.narrow(0, step * n, n).unwrap(), Targets::Labels(&labels), &case.loss, &case.optimizer)
            .unwrap();
        let error = (metrics.mean_loss() - expected).abs() / expected;
        assert!(error < 1e-7, "loss {step} is off by {error:e}");
        if step == 0 {
            assert!(error < 1e-13, "the first loss is off by {error:e}");
            for (gradient, parameter) in engine.exact_gradients().iter().zip(&engine.network().parameters) {
                let error = relative_error(&values(gradient), &case.expect(&format!("grad.{}", parameter.name)));
                assert!(error < 1e-7, "the gradient of {} is off by {error:e}", parameter.name);
            }
        }
    }
}

#[test]
fn lenet_follows_pytorch_closely_in_float64() {
    hold_closely(&case("lenet"));
}

#[test]
fn other_layers_and_momentum_follow_pytorch_closely_in_float64() {
    hold_closely(&case("relu"));
}

#[test]
fn adam_follows_pytorch_closely_in_float64() {
    hold_closely(&case("adam"));
}

#[test]
fn smoothed_labels_and_weights_of_classes_follow_pytorch_closely_in_float64() {
    hold_closely(&case("loss"));
}

#[cfg(feature = "emulation")]
#[test]
fn the_emulated_cuda_engine_follows_pytorch() {
    use candlewick::engine::cuda::{CudaEngine, emulated::Emulated};
    for case in ["lenet", "relu", "adam", "loss"].map(case) {
        let h100 = Emulated::new(227 << 10, 132);
        hold(&case, case.with_parameters(CudaEngine::new(h100, case.network()).unwrap()));
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
