//! Holds the engine against trajectories that PyTorch computed in float64 (`fixtures/make.py` made them).

mod fashion_mnist;

use candle_core::{DType, Device, Tensor};
use candlewick::activations::Activation;
use candlewick::engine::candle::CandleEngine;
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::layers::{AvgPool2d, Conv2d, Dense, Layer, MaxPool2d};
use candlewick::network::Network;
use candlewick::optimizers::{Optimizer, Sgd};
use std::collections::HashMap;
use std::path::Path;

const STEPS: usize = 60;

struct Case {
    layers: Vec<Layer>,
    batch_size: usize,
    optimizer: Optimizer,
    tensors: HashMap<String, Tensor>,
}

fn conv(channels: usize, kernel: usize, stride: usize, padding: usize, activation: Option<Activation>) -> Layer {
    Layer::Conv2d(Conv2d {
        strides: [stride; 2],
        padding: [padding; 2].into(),
        activation,
        ..Conv2d::new(channels, [kernel; 2])
    })
}

fn tensors(name: &str) -> HashMap<String, Tensor> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

/// `fixtures/lenet.json`
fn lenet() -> Case {
    let pool = Layer::MaxPool2d(MaxPool2d::new([2, 2]));
    let dense = |units, activation| Layer::Dense(Dense { activation, ..Dense::new(units) });
    Case {
        layers: vec![
            conv(6, 5, 1, 0, Some(Activation::Sigmoid)),
            pool,
            conv(16, 5, 1, 0, Some(Activation::Sigmoid)),
            pool,
            dense(120, Some(Activation::Sigmoid)),
            dense(84, Some(Activation::Sigmoid)),
            dense(10, None),
        ],
        batch_size: 256,
        optimizer: Sgd { learning_rate: 0.9, momentum: 0.0, weight_decay: 0.0 }.into(),
        tensors: tensors("lenet.safetensors"),
    }
}

/// `fixtures/relu.json`: padding, stride, ReLU, tanh, overlapping mean pooling, momentum and weight decay.
fn relu() -> Case {
    Case {
        layers: vec![
            conv(8, 3, 1, 1, Some(Activation::Relu)),
            Layer::MaxPool2d(MaxPool2d::new([2, 2])),
            conv(20, 5, 2, 2, Some(Activation::Tanh)),
            Layer::AvgPool2d(AvgPool2d { strides: [2, 2], ..AvgPool2d::new([3, 3]) }),
            Layer::Dense(Dense { activation: Some(Activation::Relu), ..Dense::new(50) }),
            Layer::Dense(Dense::new(10)),
        ],
        batch_size: 100,
        optimizer: Sgd { learning_rate: 0.05, momentum: 0.9, weight_decay: 0.0005 }.into(),
        tensors: tensors("relu.safetensors"),
    }
}

impl Case {
    fn network(&self) -> Network {
        Network::new(&self.layers, [1, 28, 28]).unwrap()
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
    let n = case.batch_size;
    let dataset = fashion_mnist::train(STEPS * n);
    let first = Tensor::from_slice(&dataset.pixels()[..n * 784], (n, 1, 28, 28), &Device::Cpu).unwrap();
    let logits = relative_error(&values(&engine.predict(&first).unwrap()), &case.expect("logits"));
    assert!(logits < 1e-5, "logits are off by {logits:e}");

    let order: Vec<u32> = (0..dataset.len() as u32).collect();
    let mut losses = Vec::new();
    for (step, batch) in order.chunks(n).enumerate() {
        let metrics = engine.train(&dataset, batch, n, &case.optimizer, &Progress::default()).unwrap();
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
        assert!(error < 1e-3, "after {STEPS} steps {name} is off by {error:e}");
    }
}

#[test]
fn lenet_follows_pytorch() {
    hold(&lenet(), lenet().engine());
}

#[test]
fn other_layers_and_momentum_follow_pytorch() {
    hold(&relu(), relu().engine());
}

/// In float64, as PyTorch did. What is left is what was rounded to float32: the fixtures' gradients, and the settings.
fn hold_closely(case: &Case) {
    let engine = CandleEngine::new(case.network(), Device::Cpu, DType::F64, Some(1)).unwrap();
    let (mut engine, n) = (case.with_parameters(engine), case.batch_size);
    let dataset = fashion_mnist::train(20 * n);
    let floats: Vec<f32> = dataset.pixels().iter().map(|p| f32::from(*p) / 255.0).collect();
    let images = Tensor::from_vec(floats, (20 * n, 1, 28, 28), &Device::Cpu).unwrap();
    let first = images.narrow(0, 0, n).unwrap().to_dtype(DType::F64).unwrap();
    let logits = relative_error(&values(&engine.exact_logits(&first).unwrap()), &case.expect("logits"));
    assert!(logits < 1e-13, "logits are off by {logits:e}");

    for (step, expected) in case.expect("losses").into_iter().take(20).enumerate() {
        let labels: Vec<u32> = dataset.labels()[step * n..][..n].iter().map(|l| u32::from(*l)).collect();
        let metrics = engine.step(&images.narrow(0, step * n, n).unwrap(), &labels, &case.optimizer).unwrap();
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
    hold_closely(&lenet());
}

#[test]
fn other_layers_and_momentum_follow_pytorch_closely_in_float64() {
    hold_closely(&relu());
}

#[cfg(feature = "emulation")]
#[test]
fn the_emulated_cuda_engine_follows_pytorch() {
    use candlewick::engine::cuda::{CudaEngine, emulated::Emulated};
    for case in [lenet(), relu()] {
        let h100 = Emulated::new(227 << 10, 132);
        hold(&case, case.with_parameters(CudaEngine::new(h100, case.network()).unwrap()));
    }
}

#[test]
fn a_hand_made_batch_is_a_step_like_any_other() {
    let case = lenet();
    let dataset = fashion_mnist::train(256);
    let floats: Vec<f32> = dataset.pixels().iter().map(|p| f32::from(*p) / 255.0).collect();
    let images = Tensor::from_vec(floats, (256, 1, 28, 28), &Device::Cpu).unwrap();
    let labels: Vec<u32> = dataset.labels().iter().map(|l| u32::from(*l)).collect();
    let mut engine = case.engine();
    let metrics = engine.step(&images, &labels, &case.optimizer).unwrap();
    assert!((metrics.mean_loss() - case.expect("losses")[0]).abs() < 1e-5);
    let mut other = case.engine();
    let order: Vec<u32> = (0..256).collect();
    assert_eq!(other.train(&dataset, &order, 256, &case.optimizer, &Progress::default()).unwrap(), metrics);
    let bits = |engine: &LanesEngine| {
        engine.parameters().unwrap().iter().flat_map(|(_, t)| values(t)).map(f64::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(bits(&engine), bits(&other));
}
