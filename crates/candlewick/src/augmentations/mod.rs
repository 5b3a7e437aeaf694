//! Random changes to the images of a training, drawn anew for each epoch, so that a network hardly ever sees the same image twice.
//!
//! An augmentation is one file of this folder: its settings, whether they make sense, and what it makes of an image and of random
//! words. Beyond that file, it is a variant here and an entry in TypeScript. No engine knows of them:
//! [`Dataset::augmented`](crate::dataset::Dataset::augmented) makes an epoch's images before an engine trains on them.

mod brightness;
mod contrast;
mod mixup;
#[cfg(test)]
mod oracles;
mod random_crop;
mod random_erasing;
mod random_flip;
mod random_rotation;
mod random_shift;
mod random_zoom;
mod resample;
mod settings;
mod uniform;

use crate::error::{Code, Error, Result};
use crate::json;
use crate::random::Chance;
pub use brightness::Brightness;
pub use contrast::Contrast;
pub use mixup::Mixup;
pub use random_crop::RandomCrop;
pub use random_erasing::{Drawn, Fill, RandomErasing};
pub use random_flip::RandomFlip;
pub use random_rotation::RandomRotation;
pub use random_shift::RandomShift;
pub use random_zoom::RandomZoom;
use serde::{Deserialize, Serialize};

/// An augmentation and its settings. As JSON, `{ "kind": "randomShift", "pixels": 1 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Augmentation {
    /// Mirrors half of the images.
    RandomFlip(RandomFlip),
    /// Moves images by some rows and columns.
    RandomShift(RandomShift),
    /// The same, by cutting them out of a margin.
    RandomCrop(RandomCrop),
    /// Covers a part of some images.
    RandomErasing(RandomErasing),
    /// Turns images about their centre.
    RandomRotation(RandomRotation),
    /// Makes what images show larger or smaller.
    RandomZoom(RandomZoom),
    /// Makes images lighter or darker.
    Brightness(Brightness),
    /// Brings what is light and what is dark closer together or farther apart.
    Contrast(Contrast),
    /// Mixes images, two and two; the last of a list.
    Mixup(Mixup),
}

impl Augmentation {
    /// Each of them, some with several settings, as a list that may be; tests take them in turn.
    pub const EXAMPLES: [Self; 11] = [
        Self::RandomFlip(RandomFlip {}),
        Self::RandomShift(RandomShift { pixels: 1 }),
        Self::RandomShift(RandomShift { pixels: 3 }),
        Self::RandomCrop(RandomCrop { padding: 2 }),
        Self::RandomErasing(RandomErasing {
            probability: 0.5,
            area: [0.02, 0.33],
            aspect: [0.3, 3.3],
            fill: Fill::Byte(0),
        }),
        Self::RandomErasing(RandomErasing {
            probability: 1.0,
            area: [0.1, 0.5],
            aspect: [0.5, 1.0],
            fill: Fill::Drawn(Drawn::Random),
        }),
        Self::RandomRotation(RandomRotation { degrees: 15.0 }),
        Self::RandomZoom(RandomZoom { amount: 0.25 }),
        Self::Brightness(Brightness { amount: 0.25 }),
        Self::Contrast(Contrast { amount: 0.5 }),
        Self::Mixup(Mixup { alpha: 0.2 }),
    ];

    /// Its name in JSON.
    pub fn kind(self) -> &'static str {
        match self {
            Self::RandomFlip(_) => "randomFlip",
            Self::RandomShift(_) => "randomShift",
            Self::RandomCrop(_) => "randomCrop",
            Self::RandomErasing(_) => "randomErasing",
            Self::RandomRotation(_) => "randomRotation",
            Self::RandomZoom(_) => "randomZoom",
            Self::Brightness(_) => "brightness",
            Self::Contrast(_) => "contrast",
            Self::Mixup(_) => "mixup",
        }
    }

    /// Whether its settings make sense for images of this shape (C, H, W).
    ///
    /// # Errors
    /// `InvalidArgument` names the setting that does not.
    pub fn check(self, shape: [usize; 3]) -> Result<()> {
        match self {
            Self::RandomFlip(_) => Ok(()),
            Self::RandomShift(shift) => shift.check(shape),
            Self::RandomCrop(crop) => crop.check(shape),
            Self::RandomErasing(erasing) => erasing.check(),
            Self::RandomRotation(rotation) => rotation.check(),
            Self::RandomZoom(zoom) => zoom.check(),
            Self::Brightness(brightness) => brightness.check(),
            Self::Contrast(contrast) => contrast.check(),
            Self::Mixup(mixup) => mixup.check(),
        }
    }

    /// Changes an image of this shape (C, H, W), for which it was checked, as random words say: four of each block of them, of
    /// which most take the first alone.
    fn apply(self, image: &mut [u8], shape: [usize; 3], words: impl Fn(usize) -> [u32; 4]) {
        match self {
            Self::RandomFlip(flip) => flip.apply(image, shape[2], words(0)),
            Self::RandomShift(shift) => shift.apply(image, shape, words(0)),
            Self::RandomCrop(crop) => crop.apply(image, shape, words(0)),
            Self::RandomErasing(erasing) => erasing.apply(image, shape, words),
            Self::RandomRotation(rotation) => rotation.apply(image, shape, words(0)),
            Self::RandomZoom(zoom) => zoom.apply(image, shape, words(0)),
            Self::Brightness(brightness) => brightness.apply(image, words(0)),
            Self::Contrast(contrast) => contrast.apply(image, shape, words(0)),
            Self::Mixup(_) => {} // it takes two images, as dataset/mixing.rs has them
        }
    }
}

/// How the images of one epoch are changed. As JSON,
/// `{ "augmentations": [{ "kind": "randomFlip" }], "seed": 1, "epoch": 1 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// What is done to each image, in this order.
    pub augmentations: Vec<Augmentation>,
    /// What decides, with the epoch, the image's index and the place in the list, what is random.
    pub seed: u64,
    /// Number of the epoch; counted modulo 2³².
    pub epoch: u64,
}

impl Augment {
    /// Where places in the list begin among those of [`Chance`], so that no layer draws by the same words.
    const FIRST_PLACE: usize = 1 << 31;

    /// What this JSON describes.
    ///
    /// # Errors
    /// `InvalidArgument`, as for [`json::read`].
    pub fn read(text: &str) -> Result<Self> {
        let example = r#"{ "augmentations": [{ "kind": "randomFlip" }], "seed": 1, "epoch": 1 }"#;
        json::read("the augmentation", example, text)
    }

    /// Whether all settings make sense for images of this shape (C, H, W), and nothing follows mixup.
    ///
    /// # Errors
    /// As for [`Augmentation::check`], and `InvalidArgument`.
    pub fn check(&self, shape: [usize; 3]) -> Result<()> {
        for pair in self.augmentations.windows(2) {
            if let [Augmentation::Mixup(_), next] = pair {
                let message = format!("{} comes after mixup; mixup must be the last of the list, once", next.kind());
                return Err(Error::new(Code::InvalidArgument, message));
            }
        }
        self.augmentations.iter().try_for_each(|augmentation| augmentation.check(shape))
    }

    /// The mixup that the list ends with, if it does, and what it draws by.
    pub(crate) fn mixup(&self) -> Option<(Mixup, Chance)> {
        let Self { ref augmentations, seed, epoch } = *self;
        match (Self::FIRST_PLACE..).zip(augmentations).last() {
            Some((place, Augmentation::Mixup(mixup))) => Some((*mixup, Chance { seed, step: epoch, place })),
            _ => None,
        }
    }

    /// Changes the image of this index of a dataset, whose shape (C, H, W) was checked.
    pub(crate) fn apply(&self, image: &mut [u8], shape: [usize; 3], index: u32) {
        let Self { ref augmentations, seed, epoch } = *self;
        for (place, augmentation) in (Self::FIRST_PLACE..).zip(augmentations) {
            let chance = Chance { seed, step: epoch, place };
            augmentation.apply(image, shape, |block| chance.words(index as usize, block));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    /// serde names all kinds when it is given another.
    #[test]
    fn each_kind_has_an_example_which_comes_back_from_json() {
        let error = serde_json::from_str::<Augmentation>(r#"{"kind":""}"#).unwrap_err().to_string();
        let kinds: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        assert!(kinds.contains(&"randomShift"), "{error}");
        for kind in kinds {
            assert!(Augmentation::EXAMPLES.iter().any(|example| example.kind() == kind), "{kind} has no example");
        }
        for example in Augmentation::EXAMPLES {
            let json = serde_json::to_value(example).unwrap();
            assert_eq!(json["kind"], example.kind());
            assert_eq!(serde_json::from_value::<Augmentation>(json).unwrap(), example);
            assert_eq!(example.check([1, 28, 28]), Ok(()));
        }
    }

    #[test]
    fn json_is_what_javascript_writes() {
        let text = r#"{"augmentations":[{"kind":"randomFlip"},{"kind":"randomShift","pixels":2}],"seed":4294967295,"epoch":3}"#;
        let augmentations =
            vec![Augmentation::RandomFlip(RandomFlip {}), Augmentation::RandomShift(RandomShift { pixels: 2 })];
        assert_eq!(Augment::read(text), Ok(Augment { augmentations, seed: u32::MAX.into(), epoch: 3 }));
        for (written, named) in [
            (text.replace("pixels", "pixel"), "unknown field `pixel`"),
            (text.replace(r#"Flip""#, r#"Flip","pixels":1"#), "unknown field `pixels`"),
            (text.replace("randomFlip", "randomFlop"), "unknown variant `randomFlop`"),
            (text.replace(r#""seed":4294967295,"#, ""), "missing field `seed`"),
            (text.replace("seed", "sead"), "unknown field `sead`"),
            (text.replace(r#""pixels":2"#, r#""pixels":-2"#), "invalid value: integer `-2`"),
        ] {
            let error = Augment::read(&written).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert!(error.message.starts_with(&format!("the augmentation cannot be read: {named}")), "{error}");
        }
    }

    #[test]
    fn all_are_checked() {
        let [flip, shift, far, ..] = Augmentation::EXAMPLES;
        let augment =
            |augmentations: &[Augmentation]| Augment { augmentations: augmentations.to_vec(), seed: 1, epoch: 1 };
        assert_eq!(augment(&[flip, shift]).check([1, 3, 3]), Ok(()));
        assert!(augment(&[flip, shift, far]).check([1, 3, 3]).unwrap_err().message.contains("up to 3 pixels"));
        for (senseless, named) in [
            (Augmentation::RandomCrop(RandomCrop { padding: 3 }), "randomCrop"),
            (
                Augmentation::RandomErasing(RandomErasing { probability: 2.0, ..RandomErasing::default() }),
                "randomErasing",
            ),
            (Augmentation::RandomRotation(RandomRotation { degrees: -1.0 }), "randomRotation"),
            (Augmentation::RandomZoom(RandomZoom { amount: 1.0 }), "randomZoom"),
            (Augmentation::Brightness(Brightness { amount: 2.0 }), "brightness"),
            (Augmentation::Contrast(Contrast { amount: 2.0 }), "contrast"),
            (Augmentation::Mixup(Mixup { alpha: 0.0 }), "mixup"),
        ] {
            let error = augment(&[flip, senseless]).check([1, 3, 3]).unwrap_err();
            assert!(error.message.starts_with(named), "{error}");
        }
    }

    #[test]
    fn mixup_comes_last_and_once() {
        let [flip, mixup] = [Augmentation::EXAMPLES[0], Augmentation::Mixup(Mixup { alpha: 0.2 })];
        let augment = |list: &[_]| Augment { augmentations: list.to_vec(), seed: 1, epoch: 2 };
        for (list, place) in [(&[mixup][..], 1 << 31), (&[flip, mixup], (1 << 31) + 1)] {
            let augment = augment(list);
            assert_eq!(augment.check([1, 3, 3]), Ok(()));
            assert_eq!(augment.mixup(), Some((Mixup { alpha: 0.2 }, Chance { seed: 1, step: 2, place })));
        }
        for list in [&[][..], &[flip]] {
            assert_eq!(augment(list).mixup(), None);
        }
        for (list, named) in [([mixup, flip], "randomFlip"), ([mixup, mixup], "mixup")] {
            let error = augment(&list).check([1, 3, 3]).unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument);
            assert_eq!(error.message, format!("{named} comes after mixup; mixup must be the last of the list, once"));
        }
    }

    #[test]
    fn the_order_of_the_list_is_that_of_the_changes_and_each_place_has_its_words() {
        let (shape, plain) = ([1, 3, 7], <[u8; 21]>::try_from((1..=21).collect::<Vec<_>>()).unwrap());
        let [flip, shift, ..] = Augmentation::EXAMPLES;
        let changed = |list: [Augmentation; 2], index| {
            let mut image = plain;
            Augment { augmentations: list.to_vec(), seed: 1, epoch: 1 }.apply(&mut image, shape, index);
            image
        };
        for index in 0..50 {
            for list in [[flip, shift], [shift, flip]] {
                let mut image = plain;
                for (place, augmentation) in (1 << 31..).zip(list) {
                    augmentation
                        .apply(&mut image, shape, |block| Chance { seed: 1, step: 1, place }.words(index, block));
                }
                assert_eq!(changed(list, index as u32), image);
            }
        }
        assert!((0..50).any(|index| changed([flip, shift], index) != changed([shift, flip], index)));
    }
}
