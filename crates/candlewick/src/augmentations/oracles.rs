//! Augmentations against what PyTorch computed in float64 (`tests/fixtures/augmentations.py`), of the same random words.

use super::{Augment, Augmentation, Mixup};
use crate::dataset::DatasetBuilder;
use serde::Deserialize;

/// `tests/fixtures/augmentations.json`
#[derive(Deserialize)]
struct Fixture {
    shape: [usize; 3],
    image: Vec<u8>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    augmentation: Augmentation,
    words: Vec<[u32; 4]>,
    expected: Vec<f64>,
}

#[test]
fn images_are_pytorchs_but_for_the_rounding_to_bytes() {
    let text = include_str!("../../tests/fixtures/augmentations.json");
    let Fixture { shape, image, cases } = serde_json::from_str(text).unwrap();
    assert_eq!(cases.len(), 24);
    for Case { augmentation, words, expected } in cases {
        let mut found = image.clone();
        augmentation.apply(&mut found, shape, |block| words[block]);
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let off = (f64::from(*found) - expected).abs();
            assert!(off <= 0.51, "{augmentation:?} of {words:?}, value {at}: {found}, not {expected}");
        }
    }
}

/// Recorded on x86-64: whatever machine runs this has made the same bytes (scripts/test-aarch64.sh runs it for NEON).
const RECORDED: [u64; Augmentation::EXAMPLES.len()] = [
    0x3f85_87fc_8d6d_7745,
    0xbc5f_4fcd_efc1_fde5,
    0xc5df_cd99_33b1_6b6d,
    0x70ab_4108_b01c_1379,
    0x2284_219a_0463_ab35,
    0x2f13_a155_bdf5_f72e,
    0x7107_9dea_263b_a8a0,
    0xfe94_ecf0_8f00_5699,
    0xf05f_444d_9b2c_834f,
    0xbe99_5331_0623_b2f1,
    0xfda3_2fbd_18d9_e365, // mixup leaves an image alone
];

/// FNV-1a
fn sum(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_bytes_are_those_of_another_machine() {
    let shape = [3, 19, 16];
    let plain: Vec<u8> = (0..shape.iter().product()).map(|i: usize| (i * i * 7 + 13 * i) as u8).collect();
    let sum_of = |augmentation: Augmentation| {
        let bytes = (0..50).flat_map(|index| {
            let mut image = plain.clone();
            Augment { augmentations: vec![augmentation], seed: 1, epoch: 1 }.apply(&mut image, shape, index);
            image
        });
        sum(bytes)
    };
    assert_eq!(Augmentation::EXAMPLES.map(sum_of), RECORDED);
}

/// Recorded likewise.
#[test]
fn mixed_images_and_their_shares_are_those_of_another_machine() {
    let (count, shape) = (50, [1, 7, 9]);
    let mut builder = DatasetBuilder::new(count, shape).unwrap();
    builder.push_pixels(&(0..count * 63).map(|i| (i * i * 7 + 13 * i) as u8).collect::<Vec<_>>()).unwrap();
    builder.push_labels(&(0..count as u16).collect::<Vec<_>>()).unwrap();
    let (dataset, order) = (builder.finish().unwrap(), Vec::from_iter(0..count as u32));
    let sum_of = |alpha| {
        let augment = Augment { augmentations: vec![Augmentation::Mixup(Mixup { alpha })], seed: 1, epoch: 1 };
        let mixed = dataset.augmented(&order, &augment, &order, Some(1)).unwrap();
        let shares = mixed.mixes().iter().flat_map(|mix| mix.share.to_le_bytes());
        sum(mixed.pixels().iter().copied().chain(mixed.labels().iter().map(|label| *label as u8)).chain(shares))
    };
    assert_eq!([0.2, 1.0, 4.0].map(sum_of), [0x8861_bab1_031d_17f1, 0x2ce1_d728_0cf8_50b1, 0x2b1d_aaf1_14cd_b6f7]);
}
