//! What engines and the addon rely on in a dataset, beyond that it keeps what it is given.

mod all_engines;
mod made_up;

use all_engines::engines;
use candle_core::{Device, Tensor};
use candlewick::Code;
use candlewick::augmentations::{Augment, Augmentation};
use candlewick::dataset::{Dataset, DatasetBuilder};
use candlewick::engine::{Progress, Training};
use candlewick::layers::{Dense, Layer};
use candlewick::losses::{Loss, Targets};
use candlewick::metrics::Metrics;
use candlewick::network::Network;
use candlewick::optimizers::{Optimizer, Sgd};

fn dataset(count: usize) -> Dataset {
    made_up::dataset(count, [1, 1, 1], |_| 0)
}

#[test]
fn equal_datasets_are_told_apart() {
    let datasets = [dataset(2), dataset(2), dataset(2)];
    let ids: std::collections::HashSet<u64> = datasets.iter().map(Dataset::id).collect();
    assert_eq!(ids.len(), 3, "a GPU would take one's copy for another's");
}

#[test]
fn only_a_dataset_without_images_is_empty() {
    assert!(dataset(0).is_empty());
    assert!(!dataset(1).is_empty());
}

const CLASSES: usize = 300;
const ORDER: [u32; 5] = [4, 0, 2, 4, 5];

/// Six images of four values beyond 0 to 1, of a few of many classes.
fn floats() -> Dataset {
    let mut builder = DatasetBuilder::of_floats(6, [1, 2, 2]).unwrap();
    builder.push_floats(&(0..24).map(|i| (i * i % 11) as f32 / 3.0 - 1.5).collect::<Vec<_>>()).unwrap();
    builder.push_labels(&[0, 299, 256, 3, 257, 1]).unwrap();
    builder.finish().unwrap()
}

#[test]
fn float32_and_labels_beyond_a_byte_train_as_a_step_of_them_does() {
    let network = Network::new(&[Layer::Dense(Dense::new(CLASSES))], [1, 2, 2]).unwrap();
    let (data, loss, progress) = (floats(), Loss::default(), Progress::default());
    let optimizer: Optimizer = Sgd::new(0.2).unwrap().into();
    let values: Vec<f32> = ORDER.iter().flat_map(|i| data.floats()[*i as usize * 4..][..4].to_vec()).collect();
    let images = Tensor::from_slice(&values, (ORDER.len(), 1, 2, 2), &Device::Cpu).unwrap();
    let labels: Vec<u32> = data.labels_of(&ORDER).collect();
    assert_eq!(labels, [257, 0, 256, 257, 1]);
    for ((name, mut by_dataset), (_, mut by_step)) in engines(&network).into_iter().zip(engines(&network)) {
        let before = by_dataset.evaluate(&data, &ORDER, &loss, &progress).unwrap();
        let of_dataset = by_dataset.train(&data, &ORDER, ORDER.len(), &loss, &optimizer, &progress).unwrap();
        let of_step = by_step.step(&images, Targets::Labels(&labels), &loss, &optimizer).unwrap();
        assert_eq!(of_dataset, of_step, "{name}");
        assert!((before.loss - of_step.loss).abs() < 1e-4, "{name}: {before:?}, {of_step:?}");
        assert_eq!(by_dataset.flat_parameters().unwrap(), by_step.flat_parameters().unwrap(), "{name}");
        let error = by_dataset.train(&made_up::dataset(1, [1, 2, 2], |_| 300), &[0], 1, &loss, &optimizer, &progress);
        assert_eq!(error.unwrap_err().code, Code::LabelOutOfRange, "{name}");
    }
}

#[test]
fn float32_is_not_augmented() {
    let network = Network::new(&[Layer::Dense(Dense::new(CLASSES))], [1, 2, 2]).unwrap();
    let (data, loss, optimizer) = (floats(), Loss::default(), Sgd::new(0.2).unwrap().into());
    let augment = Augment { augmentations: vec![Augmentation::EXAMPLES[0]], seed: 1, epoch: 1 };
    assert_eq!(data.augmented(&ORDER, &augment, &ORDER, None).unwrap_err().code, Code::DataMismatch);
    let training = Training {
        dataset: &data,
        order: &ORDER,
        partners: &ORDER,
        batch_size: 2,
        loss: &loss,
        optimizer: &optimizer,
        augment: Some(&augment),
    };
    for (name, mut engine) in engines(&network) {
        let error = engine.train_on(&training, &Progress::default(), &mut Metrics::default()).unwrap_err();
        assert_eq!(error.code, Code::DataMismatch, "{name}");
        assert!(error.message.contains("augmentations change images of bytes"), "{name}: {error}");
    }
}
