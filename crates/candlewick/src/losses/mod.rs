//! What training makes small, and what the same logits say: probabilities and labels.
//!
//! A loss compares what the network gives with [`Targets`]: the labels of images, or numbers. It is one file of this folder: its
//! settings, its value and gradient of a tile, what the kernels are told of it, and what candle makes of it. Beyond that file, it is
//! a variant here and in `objective.rs`, a struct in `kernels/loss.cuh` and an entry in TypeScript.

mod device;
mod labels;
mod mean_squared_error;
mod objective;
#[cfg(test)]
mod oracles;
mod probabilities;
mod sigmoid_cross_entropy;
mod softmax_cross_entropy;
mod targets;

use crate::dataset::Dataset;
use crate::error::Result;
pub(crate) use device::{Encoded, SETTINGS};
pub use labels::label_rows;
pub(crate) use labels::{label, rank};
pub use mean_squared_error::MeanSquaredError;
pub use objective::Objective;
pub use probabilities::softmax_rows;
use serde::{Deserialize, Serialize};
pub use sigmoid_cross_entropy::SigmoidCrossEntropy;
pub use softmax_cross_entropy::SoftmaxCrossEntropy;
pub use targets::{Gathered, Mix, Takes, Targets};

/// A loss and its settings. As JSON, `{ "kind": "softmaxCrossEntropy", "labelSmoothing": 0.1 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Loss {
    /// Of labels: one of several classes is right.
    SoftmaxCrossEntropy(SoftmaxCrossEntropy),
    /// Of numbers: how far the outputs are from them.
    MeanSquaredError(MeanSquaredError),
    /// Of numbers from 0 to 1: each output is a yes or a no of its own.
    SigmoidCrossEntropy(SigmoidCrossEntropy),
}

impl Default for Loss {
    fn default() -> Self {
        Self::SoftmaxCrossEntropy(SoftmaxCrossEntropy::default())
    }
}

impl Loss {
    /// Each of them, some with several settings, for a network of so many outputs; tests take them in turn.
    pub fn examples(outputs: usize) -> Vec<Self> {
        let weights = || Some((0..outputs).map(|class| 0.5 + class as f32 / 4.0).collect());
        let softmax = |label_smoothing, class_weights| {
            Self::SoftmaxCrossEntropy(SoftmaxCrossEntropy { label_smoothing, class_weights })
        };
        vec![
            softmax(0.0, None),
            softmax(0.1, None),
            softmax(0.0, weights()),
            softmax(0.2, weights()),
            Self::MeanSquaredError(MeanSquaredError {}),
            Self::SigmoidCrossEntropy(SigmoidCrossEntropy {}),
        ]
    }

    /// Its name in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SoftmaxCrossEntropy(_) => "softmaxCrossEntropy",
            Self::MeanSquaredError(_) => "meanSquaredError",
            Self::SigmoidCrossEntropy(_) => "sigmoidCrossEntropy",
        }
    }

    /// What it compares outputs with.
    pub fn takes(&self) -> Takes {
        match self {
            Self::SoftmaxCrossEntropy(_) => Takes::Labels,
            Self::MeanSquaredError(_) => Takes::Values,
            Self::SigmoidCrossEntropy(_) => Takes::Values,
        }
    }

    /// Whether its settings make sense for a network of so many outputs.
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub fn check(&self, outputs: usize) -> Result<()> {
        match self {
            Self::SoftmaxCrossEntropy(loss) => loss.check(outputs),
            Self::MeanSquaredError(_) | Self::SigmoidCrossEntropy(_) => Ok(()),
        }
    }

    /// What the targets of one image must be, `image` being its number.
    ///
    /// # Errors
    /// `InvalidArgument` names the first that is something else.
    pub fn check_values(&self, values: &[f32], image: usize) -> Result<()> {
        match self {
            Self::SoftmaxCrossEntropy(_) => Ok(()),
            Self::MeanSquaredError(loss) => loss.check_values(values, image),
            Self::SigmoidCrossEntropy(loss) => loss.check_values(values, image),
        }
    }

    /// What the mean over these images of a dataset divides by: their number, unless classes weigh differently and images are not
    /// mixed.
    pub fn weight(&self, dataset: &Dataset, indices: &[u32]) -> f64 {
        match self {
            Self::SoftmaxCrossEntropy(loss) => loss.weight(dataset.labels_of(indices), !dataset.mixes().is_empty()),
            Self::MeanSquaredError(_) | Self::SigmoidCrossEntropy(_) => indices.len() as f64,
        }
    }

    /// Answers of so many images that are right or wrong.
    pub fn answers(&self, images: usize, outputs: usize) -> u64 {
        match self {
            Self::SoftmaxCrossEntropy(_) => images as u64,
            Self::MeanSquaredError(_) => 0,
            Self::SigmoidCrossEntropy(_) => images as u64 * outputs as u64,
        }
    }

    /// What the kernels are told of it.
    pub(crate) fn encode(&self, outputs: usize) -> Encoded<'_> {
        match self {
            Self::SoftmaxCrossEntropy(loss) => loss.encode(outputs),
            Self::MeanSquaredError(loss) => loss.encode(),
            Self::SigmoidCrossEntropy(loss) => loss.encode(),
        }
    }
}

/// The factor for the gradients of a batch: 1 / what its mean divides by. Where all its images weigh nothing, it teaches nothing
/// (in PyTorch, it makes all parameters NaN).
pub fn scale(weight: f64) -> f32 {
    if weight > 0.0 { 1.0 / weight as f32 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    /// serde names all kinds when it is given another.
    #[test]
    fn each_kind_has_an_example_which_comes_back_from_json() {
        let examples = Loss::examples(3);
        let error = serde_json::from_str::<Loss>(r#"{"kind":""}"#).unwrap_err().to_string();
        let kinds: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        assert!(kinds.contains(&"meanSquaredError"), "{error}");
        for kind in kinds {
            assert!(examples.iter().any(|loss| loss.kind() == kind), "{kind} has no example");
        }
        for loss in examples {
            let json = serde_json::to_value(&loss).unwrap();
            assert_eq!(json["kind"], loss.kind());
            assert_eq!(serde_json::from_value::<Loss>(json).unwrap(), loss);
            assert_eq!(loss.check(3), Ok(()));
        }
    }

    #[test]
    fn json_is_what_javascript_writes() {
        let loss = |text| serde_json::from_str::<Loss>(text).map_err(|error| error.to_string());
        assert_eq!(loss(r#"{"kind":"softmaxCrossEntropy"}"#), Ok(Loss::default()));
        let text = r#"{"kind":"softmaxCrossEntropy","labelSmoothing":0.1,"classWeights":[1,0.5]}"#;
        let expected = SoftmaxCrossEntropy { label_smoothing: 0.1, class_weights: Some(vec![1.0, 0.5]) };
        assert_eq!(loss(text), Ok(Loss::SoftmaxCrossEntropy(expected)));
        assert_eq!(loss(r#"{"kind":"meanSquaredError"}"#), Ok(Loss::MeanSquaredError(MeanSquaredError {})));
        for (text, named) in [
            (r#"{"kind":"softmaxCrossEntropy","smoothing":1}"#, "`smoothing`"),
            (r#"{"kind":"meanSquaredError","labelSmoothing":0}"#, "`labelSmoothing`"),
            (r#"{"kind":"sigmoidCrossEntropy","classWeights":[1]}"#, "`classWeights`"),
            (r#"{"kind":"hinge"}"#, "`hinge`"),
        ] {
            let error = loss(text).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let softmax = |label_smoothing, class_weights| {
            Loss::SoftmaxCrossEntropy(SoftmaxCrossEntropy { label_smoothing, class_weights })
        };
        for (loss, named) in [
            (softmax(1.0, None), "labelSmoothing is 1; it must be at least 0 and below 1"),
            (softmax(-0.1, None), "labelSmoothing is -0.1"),
            (softmax(f32::NAN, None), "labelSmoothing is NaN"),
            (softmax(0.0, Some(vec![1.0, 2.0])), "classWeights holds 2 weights, but the network tells 3 classes apart"),
            (
                softmax(0.0, Some(vec![1.0, -1.0, 1.0])),
                "classWeights[1] is -1; it must be a finite number of at least 0",
            ),
            (softmax(0.0, Some(vec![1.0, 1.0, f32::INFINITY])), "classWeights[2] is inf"),
            (softmax(0.0, Some(vec![0.0; 3])), "classWeights are all 0"),
        ] {
            let error = loss.check(3).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.starts_with(named), "{error}");
        }
    }

    #[test]
    fn a_batch_that_weighs_nothing_teaches_nothing() {
        assert_eq!([0.0, 4.0, 0.5].map(scale), [0.0, 0.25, 2.0]);
        assert_eq!(scale(3.0).to_bits(), (1.0f32 / 3.0).to_bits());
    }
}
