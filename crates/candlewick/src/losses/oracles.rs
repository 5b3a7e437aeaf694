//! All losses against what we did not write: differences in float64, candle, and PyTorch.

use super::{Loss, MeanSquaredError, Mix, Objective, SigmoidCrossEntropy, SoftmaxCrossEntropy, Takes, Targets};
use crate::layers::finite_differences::{Numbers, check, flat, lanes};
use crate::metrics::Metrics;
use crate::simd::{Float64, InstructionSet, Kernel, LANES, Lane, Lanes};
use candle_core::{Device, Tensor, Var};

const OUTPUTS: usize = 5;

/// Labels and values of sixteen images.
fn drawn() -> (Vec<u32>, Vec<f32>) {
    let mut numbers = Numbers::new();
    let values = (0..LANES * OUTPUTS).map(|_| numbers.next().abs() as f32).collect();
    ((0..LANES as u32).map(|i| i * 3 % OUTPUTS as u32).collect(), values)
}

/// What else they show: each of the other classes, and the same.
fn mixes() -> Vec<Mix> {
    (0..LANES as u32).map(|i| Mix { other: (i + 3) * 2 % OUTPUTS as u32, share: 0.5 + i as f32 / 32.0 }).collect()
}

/// Calls `work` with each loss and targets of so many images, and of as many mixed ones.
fn for_each(images: usize, work: impl Fn(&Loss, Objective<'_>)) {
    let (labels, values) = drawn();
    for loss in Loss::examples(OUTPUTS) {
        let targets = match loss.takes() {
            Takes::Labels => Targets::Labels(&labels[..images]),
            Takes::Values => Targets::Values(&values[..images * OUTPUTS]),
        };
        let objective = Objective::new(&loss, targets, OUTPUTS).unwrap();
        work(&loss, objective);
        if loss.takes() == Takes::Labels {
            work(&loss, objective.mixed(&mixes()[..images]));
        }
    }
}

#[test]
fn gradients_agree_with_differences_and_dead_lanes_have_none() {
    for images in [1, 15, 16] {
        for_each(images, |loss, objective| {
            let outputs = Numbers::new().lanes(OUTPUTS);
            let mut gradient = vec![Lane::splat(f64::NAN); OUTPUTS];
            objective.tile(Float64, &outputs, 0.25, &mut gradient);
            let mean = |z: &[f64]| {
                let mut gradient = vec![Lane::zero(); OUTPUTS];
                objective.tile(Float64, &lanes(z), 1.0, &mut gradient).loss * 0.25
            };
            check(&format!("{loss:?}"), &flat(&outputs), &flat(&gradient), mean);
            assert!(gradient.iter().all(|d| d.0[images..].iter().all(|d| *d == 0.0)), "{loss:?}");
        });
    }
}

/// Rows of a tile as candle has them.
fn rows<T: candle_core::WithDType>(outputs: &[Lane<T>], images: usize) -> Var {
    let rows: Vec<T> = (0..images).flat_map(|i| outputs.iter().map(move |z| z.0[i])).collect();
    Var::from_tensor(&Tensor::from_vec(rows, (images, outputs.len()), &Device::Cpu).unwrap()).unwrap()
}

#[test]
fn values_and_gradients_are_candles() {
    for images in [1, 15, 16] {
        for_each(images, |loss, objective| {
            let mut outputs = Numbers::new().lanes(OUTPUTS);
            outputs.iter_mut().flat_map(|z| &mut z.0).for_each(|z| *z *= 9.0);
            let mut gradient = vec![Lane::zero(); OUTPUTS];
            let metrics = objective.tile(Float64, &outputs, 0.5, &mut gradient);
            let logits = rows(&outputs, images);
            let (sum, correct) = objective.reference(&logits).unwrap();
            let expected = Metrics {
                loss: sum.to_scalar().unwrap(),
                weight: objective.weight(),
                correct,
                answers: loss.answers(images, OUTPUTS),
                count: images as u64,
            };
            assert!(
                (metrics.loss - expected.loss).abs() < 1e-12 * expected.loss,
                "{loss:?}: {metrics:?}, {expected:?}"
            );
            assert!((metrics.weight - expected.weight).abs() < 1e-12, "{loss:?}");
            assert_eq!(Metrics { loss: 0.0, weight: 0.0, ..metrics }, Metrics { loss: 0.0, weight: 0.0, ..expected });
            let found = (sum * 0.5).unwrap().backward().unwrap();
            let expected: Vec<f64> = found.get(&logits).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let ours: Vec<f64> = rows(&gradient, images).flatten_all().unwrap().to_vec1().unwrap();
            for (ours, expected) in ours.iter().zip(expected) {
                assert!((ours - expected).abs() < 1e-12, "{loss:?}: {ours}, not {expected}");
            }
        });
    }
}

/// Three images' logits, the last of them huge, with their labels and targets.
const LOGITS: [[f64; 4]; 3] = [[1.5, -2.0, 0.25, 0.0], [-0.5, 3.0, 2.75, -1.0], [1e4, -1e4, 0.0, 5e3]];
const LABELS: [u32; 3] = [2, 1, 3];
const VALUES: [f32; 12] = [0.0, 1.0, 0.5, 0.25, 1.0, 0.0, 0.75, 0.0, 1.0, 0.0, 0.5, 1.0];

/// The mean and its gradient by the first image's logits, which PyTorch 2.15's `CrossEntropyLoss` (plain, smoothed by 0.1, with
/// weights, and both), `MSELoss` and `BCEWithLogitsLoss` give in float64.
fn pytorch() -> [(Loss, f64, [f64; 4]); 6] {
    let softmax = |label_smoothing, weights: Option<[f32; 4]>| {
        let class_weights = weights.map(Vec::from);
        Loss::SoftmaxCrossEntropy(SoftmaxCrossEntropy { label_smoothing, class_weights })
    };
    let weights = Some([0.5, 2.0, 1.0, 3.0]);
    [
        (
            softmax(0.0, None),
            1667.4281735210736,
            [0.21647378391860922, 0.006536941853870366, -0.2713125558461755, 0.04830183007369586],
        ),
        (
            softmax(0.1, None),
            1792.5031735210737,
            [0.20814045058527592, -0.001796391479462966, -0.2463125558461755, 0.039968496740362534],
        ),
        (
            softmax(0.0, weights),
            2500.4812279309654,
            [0.10823689195930461, 0.003268470926935183, -0.13565627792308774, 0.02415091503684793],
        ),
        (
            softmax(0.1, weights),
            2521.4059150697894,
            [0.11291836437342782, -0.004860582973464701, -0.12121812862661407, 0.013160347226650928],
        ),
        (
            Loss::MeanSquaredError(MeanSquaredError {}),
            18747502.489583332,
            [0.25, -0.5, -0.041666666666666664, -0.041666666666666664],
        ),
        (
            Loss::SigmoidCrossEntropy(SigmoidCrossEntropy {}),
            0.916747390191644,
            [0.0681312063494703, -0.07339975649815687, 0.005181375073816506, 0.020833333333333332],
        ),
    ]
}

#[test]
fn means_and_gradients_are_pytorchs() {
    for (loss, expected, gradient_of_the_first) in pytorch() {
        let targets = match loss.takes() {
            Takes::Labels => Targets::Labels(&LABELS),
            Takes::Values => Targets::Values(&VALUES),
        };
        let objective = Objective::new(&loss, targets, 4).unwrap();
        assert_near(&loss, objective, expected, gradient_of_the_first);
    }
}

/// Of the same images, mixed as the test below says, with softmax cross-entropy's four settings.
const MIXED: [(f64, [f64; 4]); 4] = [
    (1667.3656735210734, [0.1331404505852759, 0.006536941853870366, -0.1879792225128422, 0.04830183007369586]),
    (1792.4469235210734, [0.13314045058527593, -0.001796391479462966, -0.1713125558461755, 0.039968496740362534]),
    (5000.781494960642, [0.14774789426211643, 0.005719824122136571, -0.1957318196987369, 0.04226410131448388]),
    (5042.648965328419, [0.16398342805601213, -0.010456571905489818, -0.1744135947205334, 0.020886738570011075]),
];

/// The same images mixed: the mean and its gradient as PyTorch's `CrossEntropyLoss` gives them of the probabilities of classes.
#[test]
fn means_and_gradients_of_mixed_images_are_pytorchs() {
    let mix = |other, share| Mix { other, share };
    let mixes = [mix(0, 0.75), mix(2, 0.5), mix(3, 0.875)];
    for ((loss, ..), (expected, gradient)) in pytorch().into_iter().zip(MIXED) {
        let objective = Objective::new(&loss, Targets::Labels(&LABELS), 4).unwrap().mixed(&mixes);
        assert_eq!(objective.weight(), 3.0);
        assert_near(&loss, objective, expected, gradient);
    }
}

fn assert_near(loss: &Loss, objective: Objective<'_>, expected: f64, gradient_of_the_first: [f64; 4]) {
    let mut outputs = [Lane::zero(); 4];
    for (lane, row) in LOGITS.iter().enumerate() {
        outputs.iter_mut().zip(row).for_each(|(z, from)| z.0[lane] = *from);
    }
    let mut gradient = [Lane::zero(); 4];
    let metrics = objective.tile(Float64, &outputs, 1.0 / objective.weight(), &mut gradient);
    let near = |a: f64, b: f64| (a - b).abs() < 1e-8 * b.abs(); // a smoothing of 0.1 is of float32
    assert!(near(metrics.mean_loss(), expected), "{loss:?}: {}, not {expected}", metrics.mean_loss());
    for (found, expected) in gradient.iter().zip(gradient_of_the_first) {
        assert!((found.0[0] - expected).abs() < 1e-8, "{loss:?}: {}, not {expected}", found.0[0]);
    }
}

/// The objective of a tile, on an instruction set.
struct Tile<'a>(Objective<'a>, &'a [Lane<f32>], &'a mut [Lane<f32>]);

impl Kernel for Tile<'_> {
    type Output = Metrics;
    fn run<L: Lanes<Real = f32>>(self, l: L) -> Metrics {
        self.0.tile(l, self.1, 0.5, self.2)
    }
}

/// From -10⁸ to 10⁸, from -10⁻⁴ to 10⁻⁴: the value and the gradient have their digits, and the bits of all instruction sets.
#[test]
fn logits_of_any_size_have_finite_losses_and_right_gradients() {
    for size in [1e-4, 1.0, 90.0, 1e4, 1e8] {
        for_each(16, |loss, objective| {
            let mut outputs = vec![Lane::<f32>::zero(); OUTPUTS];
            for (z, from) in outputs.iter_mut().zip(Numbers::new().lanes(OUTPUTS)) {
                z.0 = from.0.map(|x| (x * size) as f32);
            }
            let wide: Vec<Lane<f64>> = outputs.iter().map(|z| Lane(z.0.map(f64::from))).collect();
            let mut expected_gradient = vec![Lane::zero(); OUTPUTS];
            let expected = objective.tile(Float64, &wide, 0.5, &mut expected_gradient);
            assert!(expected.loss.is_finite());
            let mut bits = Vec::new();
            for set in InstructionSet::available() {
                let mut gradient = vec![Lane::splat(f32::NAN); OUTPUTS];
                let metrics = set.run(Tile(objective, &outputs, &mut gradient));
                let what = format!("{loss:?} at {size} on {}", set.name());
                assert!(
                    (metrics.loss - expected.loss).abs() <= 2e-6 * expected.loss,
                    "{what}: {metrics:?}, {expected:?}"
                );
                assert_eq!(metrics.correct, expected.correct, "{what}");
                for (found, expected) in gradient.iter().zip(&expected_gradient) {
                    for (found, expected) in found.0.iter().zip(expected.0) {
                        let error = (f64::from(*found) - expected).abs();
                        assert!(error <= 3e-6 * expected.abs().max(0.5), "{what}: {found}, not {expected}");
                    }
                }
                bits.push((metrics.loss.to_bits(), gradient.iter().map(|d| d.0.map(f32::to_bits)).collect::<Vec<_>>()));
            }
            assert!(bits.iter().all(|found| *found == bits[0]), "{loss:?} at {size}");
        });
    }
}

/// An image's loss is NaN where one of its outputs is, and so is its gradient; the next image's is its own.
#[test]
fn not_a_number_stays_one_and_the_image_alone() {
    for_each(2, |loss, objective| {
        let mut outputs = vec![Lane::<f32>::splat(0.5); OUTPUTS];
        outputs[3].0[0] = f32::NAN;
        // A lane without an image may hold anything.
        outputs.iter_mut().for_each(|z| z.0[7] = f32::INFINITY);
        for set in InstructionSet::available() {
            let mut gradient = vec![Lane::zero(); OUTPUTS];
            assert!(set.run(Tile(objective, &outputs, &mut gradient)).loss.is_nan(), "{loss:?}");
            assert!(gradient[3].0[0].is_nan(), "{loss:?}: {}", gradient[3].0[0]);
            assert!(gradient.iter().all(|d| d.0[1].is_finite()), "{loss:?}");
        }
    });
}

#[test]
fn targets_of_the_other_kind_are_refused() {
    let (labels, values) = drawn();
    for loss in Loss::examples(OUTPUTS) {
        let (targets, given) = match loss.takes() {
            Takes::Labels => (Targets::Values(&values), "but was given numbers"),
            Takes::Values => (Targets::Labels(&labels), "but was given labels"),
        };
        let error = Objective::new(&loss, targets, OUTPUTS).unwrap_err();
        assert_eq!(error.code, crate::error::Code::DataMismatch);
        assert!(error.message.starts_with(loss.kind()) && error.message.ends_with(given), "{error}");
    }
}
