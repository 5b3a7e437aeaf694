//! The left becomes the right, of every second image: of what is seen in a mirror as well as without one.

use serde::{Deserialize, Serialize};

/// Mirrors an image left-right with probability 1/2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomFlip {}

impl RandomFlip {
    /// As [`super::Augmentation::apply`].
    pub(super) fn apply(self, image: &mut [u8], width: usize, [word, ..]: [u32; 4]) {
        let is_mirrored = word >> 31 == 1;
        if is_mirrored {
            image.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_each_channel_is_mirrored_or_none() {
        let image: Vec<u8> = (0..3 * 2 * 5).collect(); // three channels of 2x5
        let flipped = |word| {
            let mut image = image.clone();
            RandomFlip {}.apply(&mut image, 5, [word, 0, 0, 0]);
            image
        };
        assert_eq!(flipped(0), image);
        assert_eq!(flipped((1 << 31) - 1), image, "half of all words leave it as it is");
        for word in [1 << 31, u32::MAX] {
            for (at, pixel) in flipped(word).into_iter().enumerate() {
                let (row, column) = (at / 5, at % 5);
                assert_eq!(pixel, image[5 * row + 4 - column], "row {row}, column {column}");
            }
        }
    }
}
