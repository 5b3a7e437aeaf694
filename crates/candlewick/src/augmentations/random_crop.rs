//! What an image shows is moved a little, as by [`RandomShift`], said in the words of those who crop.

use super::RandomShift;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Puts zeros around an image and cuts out a part of its size, wherever it may lie, as torchvision's
/// `RandomCrop(size, padding=padding)` does. That is the very same as to move it by -padding to padding rows and columns, and so
/// this is [`RandomShift`], which draws the same of the same words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomCrop {
    /// Rows and columns of zeros on each side; fewer than an image has.
    pub padding: u32,
}

impl RandomCrop {
    /// As [`super::Augmentation::check`].
    pub(super) fn check(self, shape: [usize; 3]) -> Result<()> {
        let what = format!("randomCrop with a padding of {} moves images by as much", self.padding);
        self.shift().check_as(&what, shape)
    }

    /// As [`super::Augmentation::apply`].
    pub(super) fn apply(self, image: &mut [u8], shape: [usize; 3], words: [u32; 4]) {
        self.shift().apply(image, shape, words);
    }

    fn shift(self) -> RandomShift {
        RandomShift { pixels: self.padding }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    const SHAPE: [usize; 3] = [2, 3, 4];

    /// With zeros around it, and then from row `top` and column `left` on.
    fn cropped(image: &[u8], padding: usize, top: usize, left: usize) -> Vec<u8> {
        let [channels, height, width] = SHAPE;
        let row_len = width + 2 * padding;
        let mut padded = vec![0; channels * (height + 2 * padding) * row_len];
        for (row, pixels) in image.chunks_exact(width).enumerate() {
            let padded_row = (row / height) * (height + 2 * padding) + padding + row % height;
            padded[padded_row * row_len + padding..][..width].copy_from_slice(pixels);
        }
        let rows = padded.chunks_exact(row_len).enumerate();
        let kept = rows.filter(|(row, _)| (top..top + height).contains(&(row % (height + 2 * padding))));
        kept.flat_map(|(_, row)| &row[left..][..width]).copied().collect()
    }

    #[test]
    fn a_part_of_the_padded_image_is_cut_out() {
        let image: Vec<u8> = (1..=24).collect();
        // Of five places, word 0 is the last and the greatest the first: what is moved down begins higher.
        for (words, top, left) in [([0, 0], 4, 4), ([u32::MAX, 0], 0, 4), ([1 << 31, u32::MAX], 2, 0)] {
            let mut found = image.clone();
            RandomCrop { padding: 2 }.apply(&mut found, SHAPE, [words[0], words[1], 0, 0]);
            assert_eq!(found, cropped(&image, 2, top, left));
        }
    }

    #[test]
    fn a_padding_that_may_leave_nothing_is_refused() {
        assert_eq!(RandomCrop { padding: 2 }.check(SHAPE), Ok(()));
        let error = RandomCrop { padding: 3 }.check(SHAPE).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        let expected = "randomCrop with a padding of 3 moves images by as much, which leaves nothing of images of 3 rows and 4 \
                        columns; use at most 2";
        assert_eq!(error.message, expected);
    }
}
