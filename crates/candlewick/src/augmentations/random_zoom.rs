//! What an image shows is a little nearer or farther away.

use super::resample::resample;
use super::settings::require;
use super::uniform::between;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Shows a part of an image about its centre, 1 - amount to 1 + amount times as high and as wide as the image is, in its place,
/// bilinear, with zeros outside: Keras's `RandomZoom(amount, fill_mode="constant")`. So 0.8 makes all larger, and 1.25 smaller.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomZoom {
    /// From 0 to below 1.
    pub amount: f64,
}

impl RandomZoom {
    /// As [`super::Augmentation::check`].
    pub(super) fn check(self) -> Result<()> {
        let Self { amount } = self;
        require((0.0..1.0).contains(&amount), "randomZoom's amount", amount, "at least 0 and below 1")
    }

    /// As [`super::Augmentation::apply`].
    pub(super) fn apply(self, image: &mut [u8], shape: [usize; 3], [word, ..]: [u32; 4]) {
        let seen = between(word, [1.0 - self.amount, 1.0 + self.amount]);
        resample(image, shape, [[seen, 0.0], [0.0, seen]]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_word_is_nearest_and_the_greatest_farthest() {
        let image: [u8; 16] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150, 160];
        let zoomed = |amount, word| {
            let mut image = image;
            RandomZoom { amount }.apply(&mut image, [1, 4, 4], [word, 0, 0, 0]);
            image
        };
        // Half of each side is seen: from row and column 0.75 on, by half pixels.
        let near = [48, 53, 58, 63, 68, 73, 78, 83, 88, 93, 98, 103, 108, 113, 118, 123];
        assert_eq!(zoomed(0.5, 0), near);
        assert_eq!(zoomed(0.5, 1 << 31), image);
        // One and a half of each side: from row and column -0.75 on, where a quarter of a quarter is the first pixel.
        let far = zoomed(0.5, u32::MAX);
        assert_eq!((far[0], far[5]), (1, 48));
        assert_eq!(zoomed(0.0, 77), image);
    }

    #[test]
    fn nothing_is_no_part_to_be_seen() {
        for amount in [0.0, 0.2, 0.99] {
            assert_eq!(RandomZoom { amount }.check(), Ok(()));
        }
        for (amount, shown) in [(1.0, "1.0"), (-0.1, "-0.1"), (f64::NAN, "NaN")] {
            let error = RandomZoom { amount }.check().unwrap_err();
            assert_eq!(error.message, format!("randomZoom's amount is {shown}; it must be at least 0 and below 1"));
        }
    }
}
