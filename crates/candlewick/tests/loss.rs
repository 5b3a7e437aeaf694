//! Loss and labels of logits by hand, wherever they are computed: in float64, on every instruction set and by the CUDA engine's
//! kernels.

mod made_up;
mod places;

use candle_core::{Device, Tensor};
use candlewick::engine::lanes::LanesEngine;
use candlewick::engine::{Engine, Progress};
use candlewick::layers::{Dense, Layer};
use candlewick::losses::{Loss, Objective, Targets, label_rows};
use candlewick::metrics::Metrics;
use candlewick::network::Network;
use candlewick::optimizers::Sgd;
use candlewick::simd::{Float64, InstructionSet, Lane};
use places::places;

/// Metrics of one image with these logits and this label, and where they come from.
fn metrics(logits: &[f32], label: u32) -> Vec<(String, Metrics)> {
    let lanes: Vec<Lane<f64>> = logits.iter().map(|z| Lane::splat(f64::from(*z))).collect();
    let mut gradient = vec![Lane::zero(); logits.len()];
    let (loss, labels) = (Loss::default(), [label]);
    let objective = Objective::new(&loss, Targets::Labels(&labels), logits.len()).unwrap();
    let float64 = objective.tile(Float64, &lanes, 1.0, &mut gradient);
    let mut found = vec![("float64".to_owned(), float64)];
    for set in InstructionSet::available() {
        let engine = LanesEngine::on(set, network(logits.len()), Some(1)).unwrap();
        found.extend(through(set.name(), engine, logits, label));
    }
    #[cfg(feature = "emulation")]
    {
        use candlewick::engine::cuda::{CudaEngine, emulated::Emulated};
        let engine = CudaEngine::new(Emulated::new(227 << 10, 3), network(logits.len())).unwrap();
        found.extend(through("CUDA", engine, logits, label));
    }
    found
}

fn network(classes: usize) -> Network {
    Network::new(&[Layer::Dense(Dense::new(classes))], [1, 1, 1]).unwrap()
}

/// The biases are the logits; a step that moves nothing, and an evaluation.
fn through(name: &str, mut engine: impl Engine, logits: &[f32], label: u32) -> [(String, Metrics); 2] {
    let mut parameters = vec![0.0; logits.len()];
    parameters.extend(logits);
    engine.set_flat_parameters(parameters).unwrap();
    let image = Tensor::zeros((1, 1, 1, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
    let dataset = made_up::dataset(1, [1, 1, 1], |_| label as usize);
    let evaluated = engine.evaluate(&dataset, &places(0..1), &Loss::default(), &Progress::default()).unwrap();
    let step =
        engine.step(&image, Targets::Labels(&[label]), &Loss::default(), &Sgd::new(0.0).unwrap().into()).unwrap();
    [(format!("{name}, a step"), step), (format!("{name}, an evaluation"), evaluated)]
}

const INFINITY: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

/// To six digits, however large the logits are or small the loss is.
#[test]
fn a_loss_has_all_its_digits() {
    let ln_3 = 1.098_612_288_668_109_8;
    let table: [(&[f32], u32, f64); 20] = [
        (&[0.0, 0.0, 0.0], 1, ln_3),
        (&[1e3, 1e3, 1e3], 0, ln_3),
        (&[1e5, 1e5, 1e5], 2, ln_3),
        (&[1e8, 1e8, 1e8], 0, ln_3),
        (&[-1e8, -1e8, -1e8], 1, ln_3),
        (&[1e38, 1e38, 1e38], 2, ln_3),
        (&[7.0], 0, 0.0),
        // ln(1 + e⁻⁸) of neighbours at 10⁸, where float32 counts by eights.
        (&[1e8, 1e8 - 8.0], 0, 3.354_063_728_957_688_5e-4),
        (&[1e8, 1e8 - 8.0], 1, 8.000_335_406_372_896),
        (&[14.0, 0.0], 0, 8.315_283_733_837_542e-7),
        (&[0.0, 14.0, 0.0], 1, 1.663_056_055_328_647_7e-6),
        (&[0.0, 14.0, 0.0], 2, 14.000_001_663_056_056),
        (&[30.0, 0.0, 0.0, 0.0], 0, 2.807_286_890_650_659e-13),
        (&[-3.0, 77.0], 1, 1.804_851_387_845_415_3e-35),
        (&[1e5, 0.0], 0, 0.0),
        (&[1e5, 0.0], 1, 1e5),
        (&[3e38, -3e38], 0, 0.0),
        (&[0.0, -INFINITY], 0, 0.0),
        (&[0.0, -INFINITY], 1, f64::INFINITY),
        (&[5.0, -INFINITY, 5.0], 2, std::f64::consts::LN_2),
    ];
    for (logits, label, expected) in table {
        for (what, Metrics { loss, .. }) in metrics(logits, label) {
            let is_near = loss == expected || (loss - expected).abs() <= 1e-6 * expected;
            assert!(is_near, "{logits:?}, label {label}: the loss is {loss:e} by {what}, exact {expected:e}");
        }
    }
}

/// PyTorch: ∞ - ∞ is no number, and one of those makes the sum of all none.
#[test]
fn a_loss_that_is_no_number_is_nan() {
    let table: [&[f32]; 7] = [
        &[NAN, 1.0, 2.0],
        &[1.0, NAN, 2.0],
        &[1.0, 2.0, NAN],
        &[INFINITY, 0.0],
        &[0.0, INFINITY],
        &[-INFINITY, -INFINITY],
        &[INFINITY],
    ];
    for logits in table {
        for label in 0..logits.len() as u32 {
            for (what, Metrics { loss, .. }) in metrics(logits, label) {
                assert!(loss.is_nan(), "{logits:?}, label {label}: the loss is {loss:e} by {what}");
            }
        }
    }
}

/// PyTorch's argmax: the first of the largest, and NaN is larger than any number.
#[test]
fn the_label_is_the_first_of_the_largest() {
    let table: [(&[f32], u32); 14] = [
        (&[1.0, 2.0, 3.0], 2),
        (&[3.0, 3.0, 1.0], 0),
        (&[1.0, 3.0, 3.0], 1),
        (&[-2.0, -1.0, -1.0], 1),
        (&[0.0, -0.0], 0),
        (&[-0.0, 0.0], 0),
        (&[NAN, 1.0, 2.0], 0),
        (&[1.0, NAN, 2.0], 1),
        (&[1.0, 2.0, NAN], 2),
        (&[1.0, NAN, NAN], 1),
        (&[INFINITY, NAN], 1),
        (&[0.0, INFINITY, INFINITY], 1),
        (&[-INFINITY, -INFINITY], 0),
        (&[5.0], 0),
    ];
    for (logits, expected) in table {
        let mut label = [u32::MAX];
        label_rows(logits, logits.len(), &mut label);
        assert_eq!(label, [expected], "{logits:?}");
        for label in 0..logits.len() as u32 {
            for (what, Metrics { correct, count, .. }) in metrics(logits, label) {
                let right = u64::from(label == expected);
                assert_eq!((correct, count), (right, 1), "{logits:?}, label {label}, by {what}");
            }
        }
    }
}
